"""What all HTTP links share: one client, deadlines that shut sockets, errors in words."""
