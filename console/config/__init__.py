"""cofa.toml, discovery where there is no file, and what both become: an Environment."""
