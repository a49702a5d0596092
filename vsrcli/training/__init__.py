"""Training: recipes, packed data, losses, distillation, and the loop. Never imported by upscaling."""
