"""What is asked, in which order. What the answers mean is said in `checks`."""
