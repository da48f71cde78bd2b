"""Discord, in both its forms: a bot, which can look up and reply, and the simpler webhook."""
