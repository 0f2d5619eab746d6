"""Speed, measured against the peers in one run; never part of the tests."""
