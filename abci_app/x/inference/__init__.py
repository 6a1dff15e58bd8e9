"""Room `inference`: hosts, requests, and who was right. README.md beside this file is its specification."""
