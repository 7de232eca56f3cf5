"""What all commands share: how they run, their options, and the console."""
