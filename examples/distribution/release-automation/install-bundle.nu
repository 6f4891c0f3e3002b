#!/usr/bin/env nu
# Installs a published bundle.

use automation.nu client

def main [
    name: string            # stable-3.2
    --prefix: path          # where; the client's own choice where absent
] {
    if $prefix == null { client install $name } else { client install $name --prefix ($prefix | path expand) }
}
