"""What is told before a job runs, or about it: forecast, preview, health, and reports."""
