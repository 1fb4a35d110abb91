"""Train, calibrate, measure and export the embedded toxicity classifier."""
