"""Where the backups are: boto3 in a process of its own, and what it lists."""
