"""What the fault tests share: a server that may die, a client that repeats, and eyes on the kernel."""
