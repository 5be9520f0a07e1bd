"""An app that holds no FunctionApp: Microsoft's worker refuses to load it."""
