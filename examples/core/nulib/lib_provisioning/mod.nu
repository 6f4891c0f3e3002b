# What every part of the core uses.

export use failure.nu *
export use prefix.nu *
export use settings.nu *
export use workspace.nu *
export use templates.nu *
export use extensions.nu *
