"""Compare videos: align them in time, draw them side by side as a picture or a video, and plot their quality."""
