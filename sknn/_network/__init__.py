"""A module, class or instance -> a network of the right widths."""
