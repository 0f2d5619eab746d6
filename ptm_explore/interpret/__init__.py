"""Looking inside: functions that return arrays and dataclasses, and draw nothing."""
