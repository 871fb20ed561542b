"""What every room stands on: processes, threads, locks, zip archives, what a person sees."""
