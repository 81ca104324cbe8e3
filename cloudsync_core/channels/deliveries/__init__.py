"""What updates are delivered to: functions, directories, commands, web servers, and the hook of plugins."""
