"""PSNR, SSIM and their kin, the papers' degradations, and evaluation clips. No nets, no command line."""
