"""The ground for every other folder: processes, threads, locks, zip archives, the console."""
