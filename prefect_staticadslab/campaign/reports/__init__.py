"""What people are told of a campaign: progress, failures, and how it ended."""
