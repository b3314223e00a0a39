"""From what the rays hit to the picture: textures, light, camera."""
