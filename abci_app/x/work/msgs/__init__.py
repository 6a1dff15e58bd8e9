"""The room's handlers, one file for each noun: trainers, claims."""
