"""The few widgets of the console; each paints whole lines and only those that changed."""
