#!/usr/bin/env nu
# Installs provisioning: first the client, then with it a bundle. For Nushell 0.108 and later:
#
#   http get URL/install.nu | save install.nu; nu install.nu --bundle stable
#
# Nushell reads a script whole before it runs any of it: one that was cut off runs nothing.

{% if not client %}
def main [] {
  let registry_name = {{ registry_name | nu }}
  let registry_url = {{ base_url | nu }}
  print --stderr $"error: the registry ($registry_name) \(($registry_url)) has no client published yet, so there is nothing to install with"
  print --stderr "help: try again later, or ask its operator to publish one"
  exit 1
}
{% else %}
def embedded []: nothing -> record {
  {
    registry_name: {{ registry_name | nu }}
    registry_url: {{ base_url | nu }}
    root_fingerprint: {{ root_fingerprint | nu }}
    client_version: {{ client.version | nu }}
    script_url: {{ (base_url ~ "/install.sh") | nu }}
    archives: {
{% for archive in client.archives %}
      {{ archive.target | nu }}: {
        path: {{ archive.path | nu }}
        digest: {{ archive.hex | nu }}
        size: {{ archive.size }}
      }
{% endfor %}
    }
  }
}

def fail [cause: string, hint: string] {
  print --stderr $"error: ($cause)"
  print --stderr $"help: ($hint)"
  exit 1
}

# Whether the variable `name` switches something on.
def switched-on [name: string]: nothing -> bool {
  let value = ($env | get --optional $name | default "")
  $value not-in ["" "0" "n" "N" "no" "No" "NO" "false" "False" "FALSE" "off"]
}

# What the client is called for this machine: linux-x86_64, macos-arm64 …
def detect-target []: nothing -> string {
  let system = match (^uname -s | str trim) {
    "Linux" => "linux"
    "Darwin" => "macos"
    $other => $other
  }
  let machine = match (^uname -m | str trim) {
    "x86_64" | "amd64" => "x86_64"
    "aarch64" | "arm64" => "arm64"
    $other => $other
  }
  # A program that Rosetta translates sees x86_64 on an arm64 machine.
  let translated = if $system == "macos" {
    (do { ^sysctl -n sysctl.proc_translated } | complete).stdout | str trim
  } else {
    ""
  }
  if $translated == "1" { "macos-arm64" } else { $"($system)-($machine)" }
}

def default-prefix []: nothing -> string {
  if (^id -u | str trim) == "0" {
    return "/usr/local"
  }
  let home = ($env | get --optional HOME | default "")
  if $home == "" {
    fail "HOME is not set" "say where to install with --prefix DIR"
  }
  $home | path join ".provisioning"
}

# Whether something has this name, be it a link that leads nowhere.
def exists [path: string]: nothing -> bool {
  (do { ^ls -d -- $path } | complete).exit_code == 0
}

# Whether a path is a link that provisioning made: one into <prefix>/lib/provisioning.
def is-ours [path: string]: nothing -> bool {
  let read = (do { ^readlink $path } | complete)
  $read.exit_code == 0 and ($read.stdout | str starts-with "../lib/provisioning/")
}

# Fetches and unpacks the client below `staging`; returns the folder that it is in.
def fetch-client [url: string, archive: record, staging: string]: nothing -> string {
  let file = ($staging | path join "client.tar.gz")
  http get --raw $url | save --raw $file
  let found = (open --raw $file | hash sha256)
  if $found != $archive.digest {
    error make { msg: $"the download is not what the registry signed: sha256:($found) instead of sha256:($archive.digest)" }
  }
  let unpacked = ($staging | path join "client")
  ^mkdir $unpacked
  ^tar -xzof $file -C $unpacked
  if not (exists ($unpacked | path join "provisioning")) {
    ^ln -s bin/provisioning ($unpacked | path join "provisioning")
  }
  let tried = (do { ^($unpacked | path join "provisioning") --version } | complete)
  if $tried.exit_code != 0 {
    error make { msg: $"the client does not run on this machine: ($tried.stderr)" }
  }
  $unpacked
}

# Makes the unpacked client visible: a rename, then a new link over the old one.
def place-client [unpacked: string, prefix: string, version: string, staging: string] {
  let home = ($prefix | path join "lib/provisioning/client" $version)
  if (exists $home) {
    ^mv $home ($staging | path join "replaced")
  }
  ^mv $unpacked $home
  let link = ($prefix | path join $"bin/.provisioning.($nu.pid)")
  ^ln -s $"../lib/provisioning/client/($version)/provisioning" $link
  ^mv -f $link ($prefix | path join "bin/provisioning")
}

# Adds <prefix>/bin to Nushell's PATH, once.
def edit-path [prefix: string, consent: bool] {
  let bin = ($prefix | path join "bin")
  if $bin in $env.PATH {
    return
  }
  let line = $"$env.PATH = \($env.PATH | prepend ($bin | to json)\) # provisioning's installer"
  let profile = ($nu.default-config-dir | path join "env.nu")
  if not $consent {
    print $"($bin) is not in PATH; this adds it for this shell: ($line)"
    return
  }
  let text = if ($profile | path exists) { open --raw $profile | decode utf-8 } else { "" }
  if not ($text | str contains $line) {
    ^mkdir -p ($profile | path dirname)
    $"($line)\n" | save --append $profile
    print $"Added ($bin) to PATH in ($profile); new shells have it."
  }
}

# Installs the client below `prefix`. A failure takes away what it staged and the folders it made.
def install-client [facts: record, url: string, archive: record, prefix: string] {
  let clients = ($prefix | path join "lib/provisioning/client")
  let folders = [$clients ($prefix | path join "bin")]
  let new = (
    $folders | each { |folder| missing-folders $folder } | flatten | uniq | sort-by { |it| 0 - ($it | str length) }
  )
  let staging = ($clients | path join $".staging.($nu.pid)")
  try {
    ^mkdir -p ...$folders
    ^mkdir $staging
    let unpacked = (fetch-client $url $archive $staging)
    place-client $unpacked $prefix $facts.client_version $staging
    ^rm -rf $staging
  } catch { |problem|
    ^rm -rf $staging
    for folder in $new {
      do --ignore-errors { ^rmdir $folder | complete }
    }
    fail $"cannot install the client from ($url): ($problem.msg)" "nothing was changed; check the network and the prefix, and try again"
  }
}

# The folders of a path that are not there yet.
def missing-folders [folder: string]: nothing -> list<string> {
  if ($folder | path exists) {
    []
  } else {
    missing-folders ($folder | path dirname) | append $folder
  }
}

# Installs provisioning: first the client, then with it a bundle.
def main [
  --bundle: string # a bundle or channel instead of `stable` (PROVISIONING_BUNDLE)
  --prefix: string # where to; else /usr/local for root, and ~/.provisioning for others (PROVISIONING_PREFIX)
  --registry: string # the same registry under another address, such as a mirror (PROVISIONING_REGISTRY)
  --client-only # the client and nothing else (PROVISIONING_CLIENT_ONLY=1)
  --modify-path # add PREFIX/bin to PATH in Nushell's env.nu (PROVISIONING_MODIFY_PATH=1)
  --no-modify-path # leave it alone, which is what happens without a flag (PROVISIONING_NO_MODIFY_PATH=1)
  --dry-run # say what would be done, and do nothing (PROVISIONING_DRY_RUN=1)
] {
  let facts = (embedded)
  let spec = ($bundle | default ($env | get --optional PROVISIONING_BUNDLE | default "stable"))
  let registry = (
    $registry | default ($env | get --optional PROVISIONING_REGISTRY | default $facts.registry_url) | str trim --right --char "/"
  )
  let given = ($prefix | default ($env | get --optional PROVISIONING_PREFIX | default ""))
  let prefix = (if $given == "" { default-prefix } else { $given } | path expand --no-symlink)
  let target = (detect-target)
  let archive = ($facts.archives | get --optional $target | default ($facts.archives | get --optional any))
  if $archive == null {
    let known = ($facts.archives | columns | str join " ")
    fail $"($facts.registry_name) has no client ($facts.client_version) for ($target)" $"it has one for: ($known)"
  }
  let program = ($prefix | path join "bin/provisioning")
  if (exists $program) and not (is-ours $program) {
    fail $"($program) exists and was not put there by provisioning" "move it away, or choose another prefix with --prefix DIR"
  }
  print $"Registry:  ($facts.registry_name), ($registry)"
  print $"Root:      ($facts.root_fingerprint)"
  print $"Client:    ($facts.client_version) for ($target) \(($archive.size) bytes)"
  print $"Installs:  ($spec)"
  print $"Prefix:    ($prefix)"
  if $dry_run or (switched-on PROVISIONING_DRY_RUN) {
    print "Nothing was changed (dry run)."
    return
  }

  install-client $facts $"($registry)/($archive.path)" $archive $prefix
  print $"Installed the client: ($program)"
  hide-env --ignore-errors PROVISIONING_PREFIX PROVISIONING_REGISTRY PROVISIONING_BUNDLE
  let global = [--registry $registry --root-fingerprint $facts.root_fingerprint --prefix $prefix]
  do { ^$program ...$global completions --install } | complete | ignore
  do { ^$program ...$global registry add $registry } | complete | ignore
  if not ($client_only or (switched-on PROVISIONING_CLIENT_ONLY)) {
    try {
      ^$program ...$global install $spec
    } catch {
      let code = ($env.LAST_EXIT_CODE? | default 1)
      print --stderr $"error: the client is installed, but it could not install ($spec)"
      print --stderr $"help: try again with: ($program) --registry ($registry) --prefix ($prefix) install ($spec)"
      exit $code
    }
  }
  let refused = $no_modify_path or (switched-on PROVISIONING_NO_MODIFY_PATH)
  edit-path $prefix (not $refused and ($modify_path or (switched-on PROVISIONING_MODIFY_PATH)))
  print ""
  print $"Done. Everything is below ($prefix)."
  print $"  to go on:      ($program) --prefix ($prefix | to json) list"
  print $"  to uninstall:  curl -fsSL ($facts.script_url) | sh -s -- --uninstall --prefix ($prefix | to json)"
}
{% endif %}
