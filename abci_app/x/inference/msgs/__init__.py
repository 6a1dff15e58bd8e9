"""The room's handlers, one file for each noun: hosts, requests, answers."""
