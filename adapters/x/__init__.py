"""X: posts, threads, look-up, the oEmbed read-back."""
