"""Room `validators`: who signs blocks, and who lost that for misbehaviour; see README.md."""
