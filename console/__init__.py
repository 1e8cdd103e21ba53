"""The core of cofa: what production says, what that means, and how to say it.

Nothing in here knows Textual or Rich; ``screens`` shows what this package finds.
"""

__version__ = "0.1.0"
