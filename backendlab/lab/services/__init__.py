"""Real servers of a lesson's own, one module each: started from wheels, private, and gone with the kernel."""
