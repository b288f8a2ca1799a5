"""Attribution and detection measured against a world's truth. Nothing else in the product reads `truth/`."""
