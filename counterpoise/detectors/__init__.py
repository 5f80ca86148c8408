"""Sequential detectors: alarms with a stated expected time between false ones. Pure."""
