"""PSNR, SSIM and further measures, and the papers' degradations. No nets, no command line."""
