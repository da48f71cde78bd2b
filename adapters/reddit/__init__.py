"""Reddit: self posts and comments through praw, none of its repeats."""
