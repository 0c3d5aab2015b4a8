"""Pictures made from pictures: several side by side, and one over its caption."""
