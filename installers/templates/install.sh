#!/bin/sh
{% if core %}
# Installs provisioning's core: first the client, then with it the core alone.
{% else %}
# Installs provisioning: first the client, then with it a bundle.
{% endif %}
# `--help` lists the choices. It writes below its prefix, and elsewhere only what it is allowed to.
#
# All of it is one block in braces, of which the closing one is the last byte: a download that was
# cut off anywhere runs nothing. (Functions alone are not enough: `find_tools`, cut, is `find`.)
{
{% if not client %}
    main() {
        registry_name={{ registry_name | sh }}
        registry_url={{ base_url | sh }}
        printf 'error: the registry %s (%s) has no client published yet, so there is nothing to install with\n' \
            "$registry_name" "$registry_url" >&2
        printf 'help: try again later, or ask its operator to publish one\n' >&2
        exit 1
    }
{% else %}
    usage() {
        printf '%s\n' "\
{% if core %}
Installs the provisioning client, and with it the core.
{% else %}
Installs the provisioning client, and with it a bundle.
{% endif %}

Options, each with its environment variable:
{% if core %}
  --version VERSION   the core's version or requirement; else the newest
                      PROVISIONING_CORE_VERSION
{% else %}
  --bundle NAME       a bundle or channel instead of stable
                      PROVISIONING_BUNDLE
{% endif %}
  --prefix DIR        where to; else /usr/local for root, and ~/.provisioning for others
                      PROVISIONING_PREFIX
  --registry URL      the same registry under another address, such as a mirror
                      PROVISIONING_REGISTRY
  --client-only       the client and nothing else
                      PROVISIONING_CLIENT_ONLY=1
  --modify-path       add PREFIX/bin to PATH in the shell's profile, without a question
                      PROVISIONING_MODIFY_PATH=1
  --no-modify-path    leave the shell's profile alone, without a question
                      PROVISIONING_NO_MODIFY_PATH=1
  --uninstall         remove everything below PREFIX that provisioning put there
                      PROVISIONING_UNINSTALL=1
  --dry-run           say what would be done, and do nothing
                      PROVISIONING_DRY_RUN=1
  -y, --yes           answer every question with yes
                      PROVISIONING_YES=1
  -q, --quiet         print errors only, and ask nothing
                      PROVISIONING_QUIET=1
  -h, --help          this text"
    }

    embedded() {
        registry_name={{ registry_name | sh }}
        registry_url={{ base_url | sh }}
        root_fingerprint={{ root_fingerprint | sh }}
        client_version={{ client.version | sh }}
        script_url={{ (base_url ~ "/" ~ file) | sh }}
        targets={{ client.archives | map(attribute="target") | join(" ") | sh }}
    }

    # Path, digest and size of the client's archive for $target.
    find_archive() {
        case "$target" in
{% for archive in client.archives %}
        {{ archive.target if archive.target != "any" else "*" }})
            archive_path={{ archive.path | sh }}
            archive_digest={{ archive.hex }}
            archive_size={{ archive.size }}
            ;;
{% endfor %}
{% if client.archives | selectattr("target", "equalto", "any") | list | length == 0 %}
        *)
            fail "$registry_name has no client $client_version for $target" \
                "it has one for: ${targets:-no target at all}"
            ;;
{% endif %}
        esac
    }

    main() {
        # zsh as itself splits no words and ends traps with their function.
        [ -z "${ZSH_VERSION:-}" ] || emulate sh
        set -eu
        umask 022
        unset CDPATH TAR_OPTIONS GZIP || :
        newline=$(printf '\nx')
        newline=${newline%x}
        quiet=no staging='' link='' created='' child='' placed=no

        embedded
        read_environment
        read_arguments "$@"
        choose_prefix
        if [ "$uninstall" = yes ]; then
            uninstall
            return 0
        fi
        detect_target
        find_archive
        find_tools
        check_prefix
        announce
        if [ "$dry_run" = yes ]; then
            say "Nothing was changed (dry run)."
            return 0
        fi

        trap finish EXIT
        trap 'exit 129' HUP
        trap 'exit 130' INT
        trap 'exit 143' TERM
        prepare
        download
        unpack
        place
        place_shell_files
        remember_registry
        run_install
        edit_path
        farewell
    }

    say() {
        [ "$quiet" = yes ] || printf '%s\n' "$*"
    }

    # fail CAUSE [HINT]
    fail() {
        printf 'error: %s\n' "$1" >&2
        [ "$#" -lt 2 ] || printf 'help: %s\n' "$2" >&2
        exit 1
    }

    misuse() {
        printf 'error: %s\nhelp: --help lists the options\n' "$1" >&2
        exit 2
    }

    has() {
        command -v "$1" >/dev/null 2>&1
    }

    # yes or no, for a variable that switches something on.
    switch() {
        case "$1" in
        '' | 0 | n | no | N | NO | No | false | False | FALSE | off) printf no ;;
        *) printf yes ;;
        esac
    }

    # Text as a shell literal.
    quoted() {
        printf "'%s'" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")"
    }

    read_environment() {
        prefix=${PROVISIONING_PREFIX:-}
        registry_url=${PROVISIONING_REGISTRY:-$registry_url}
        client_only=$(switch "${PROVISIONING_CLIENT_ONLY:-}")
        uninstall=$(switch "${PROVISIONING_UNINSTALL:-}")
        dry_run=$(switch "${PROVISIONING_DRY_RUN:-}")
        yes=$(switch "${PROVISIONING_YES:-}")
        quiet=$(switch "${PROVISIONING_QUIET:-}")
{% if core %}
        spec=core${PROVISIONING_CORE_VERSION:+@$PROVISIONING_CORE_VERSION}
{% else %}
        spec=${PROVISIONING_BUNDLE:-stable}
{% endif %}
        modify_path=ask
        if [ "$(switch "${PROVISIONING_MODIFY_PATH:-}")" = yes ]; then
            modify_path=yes
        elif [ -n "${PROVISIONING_MODIFY_PATH:-}" ]; then
            modify_path=no
        fi
        if [ "$(switch "${PROVISIONING_NO_MODIFY_PATH:-}")" = yes ]; then
            modify_path=no
        fi
        # They are the script's; the client gets what it needs as arguments.
        unset PROVISIONING_PREFIX PROVISIONING_REGISTRY PROVISIONING_CLIENT_ONLY PROVISIONING_UNINSTALL || :
        unset PROVISIONING_DRY_RUN PROVISIONING_YES PROVISIONING_QUIET PROVISIONING_MODIFY_PATH || :
        unset PROVISIONING_NO_MODIFY_PATH PROVISIONING_BUNDLE PROVISIONING_CORE_VERSION || :
    }

    read_arguments() {
        while [ "$#" -gt 0 ]; do
            case "$1" in
            --prefix | --registry | {{ "--version" if core else "--bundle" }})
                [ "$#" -ge 2 ] || misuse "$1 needs a value"
                set_option "$1" "$2"
                shift
                ;;
            --prefix=* | --registry=* | {{ "--version" if core else "--bundle" }}=*) set_option "${1%%=*}" "${1#*=}" ;;
            --client-only) client_only=yes ;;
            --modify-path) modify_path=yes ;;
            --no-modify-path) modify_path=no ;;
            --uninstall) uninstall=yes ;;
            --dry-run) dry_run=yes ;;
            -y | --yes) yes=yes ;;
            -q | --quiet) quiet=yes ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) misuse "unknown option: $1" ;;
            esac
            shift
        done
        if [ "$yes" = yes ] && [ "$modify_path" = ask ]; then
            modify_path=yes
        fi
        registry_url=${registry_url%/}
    }

    set_option() {
        case "$2" in
        '' | -*) misuse "$1 needs a value, not \"$2\"" ;;
        esac
        case "$1" in
        --prefix) prefix=$2 ;;
        --registry) registry_url=$2 ;;
{% if core %}
        --version) spec=core@$2 ;;
{% else %}
        --bundle) spec=$2 ;;
{% endif %}
        esac
    }

    choose_prefix() {
        default_prefix=''
        if [ "$(id -u)" -eq 0 ]; then
            default_prefix=/usr/local
        elif [ -n "${HOME:-}" ]; then
            default_prefix=$HOME/.provisioning
        fi
        prefix=${prefix:-$default_prefix}
        [ -n "$prefix" ] || misuse "HOME is not set: say where to install with --prefix DIR"
        case "$prefix" in
        /*) ;;
        *) prefix=$(pwd)/$prefix ;;
        esac
        while :; do
            case "$prefix" in
            /) misuse "the prefix cannot be /" ;;
            */) prefix=${prefix%/} ;;
            *"$newline"*) misuse "the prefix cannot hold a line break" ;;
            *) break ;;
            esac
        done
        clients=$prefix/lib/provisioning/client
        program=$prefix/bin/provisioning
    }

    detect_target() {
        system=$(uname -s)
        machine=$(uname -m)
        case "$system" in
        Linux) system=linux ;;
        Darwin)
            system=macos
            # A shell that Rosetta translates sees x86_64 on an arm64 machine.
            if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then
                machine=arm64
            fi
            ;;
        MINGW* | MSYS* | CYGWIN* | Windows*)
            fail "there is no client for Windows" \
                "install it in the Windows Subsystem for Linux (WSL)"
            ;;
        esac
        case "$machine" in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=arm64 ;;
        esac
        target=$system-$machine
    }

    # Everything that is needed, before the first byte is fetched or written.
    find_tools() {
        if has curl; then
            fetcher=curl
        elif has wget; then
            fetcher=wget
        else
            fail "neither curl nor wget is here" "install one of them and try again"
        fi
        for tool in gzip tar; do
            has "$tool" || fail "$tool is not here" "install it and try again"
        done
        # A digest program is believed when it knows the digest of nothing. (In yash the variable of
        # a loop is the function's own, so it is not the one that is set for later.)
        digester=none
        for tool in openssl shasum sha256sum; do
            if has "$tool" && [ "$(digest_with "$tool" /dev/null 2>/dev/null || :)" = \
                e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ]; then
                digester=$tool
            fi
        done
        [ "$digester" != none ] ||
            fail "no program to check the download with is here: sha256sum, shasum or openssl" \
                "install one of them and try again; nothing was changed"
    }

    # The sha256 of a file, in hexadecimal.
    digest_of() {
        digest_with "$digester" "$1"
    }

    digest_with() {
        case "$1" in
        sha256sum) digest=$(sha256sum <"$2") ;;
        shasum) digest=$(shasum -a 256 <"$2") ;;
        *) digest=$(openssl dgst -sha256 -r <"$2") ;;
        esac
        printf '%s\n' "${digest%% *}"
    }

    # Refuses a prefix in which the client's name is taken by something that is not ours.
    check_prefix() {
        if is_ours "$program" || ! exists "$program"; then
            return 0
        fi
        fail "$program exists and was not put there by provisioning" \
            "move it away, or choose another prefix with --prefix DIR"
    }

    exists() {
        [ -e "$1" ] || [ -L "$1" ]
    }

    # A link of P/bin that leads into P/lib/provisioning.
    is_ours() {
        [ -L "$1" ] || return 1
        listed=$(ls -ld "$1")
        case "${listed##*" -> "}" in
        ../lib/provisioning/* | ../../lib/provisioning/shell/* | ../../../lib/provisioning/shell/*) return 0 ;;
        ../../../../lib/provisioning/shell/*) return 0 ;;
        *) return 1 ;;
        esac
    }

    announce() {
        say "Registry:  $registry_name, $registry_url"
        say "Root:      $root_fingerprint"
        say "Client:    $client_version for $target ($archive_size bytes)"
        [ "$client_only" = yes ] || say "Installs:  $spec"
        say "Prefix:    $prefix"
        say ""
    }

    # Makes a folder with its parents, and remembers which of them are new, innermost first.
    make_folder() {
        folder=$1
        new=''
        while [ ! -d "$folder" ]; do
            new=$new$folder$newline
            folder=${folder%/*}
            folder=${folder:-/}
        done
        created=$new$created
        mkdir -p "$1" 2>/dev/null || cannot_write "$1"
        [ -w "$1" ] || cannot_write "$1"
    }

    cannot_write() {
        fail "cannot write to $1" \
            "choose another prefix with --prefix DIR, or run this as a user who may write there"
    }

    # The staging folder is inside the prefix: what is complete there becomes visible by a rename.
    prepare() {
        make_folder "$clients"
        make_folder "$prefix/bin"
        for stale in "$clients"/.staging.*; do
            if [ -d "$stale" ] && ! kill -0 "${stale##*.}" 2>/dev/null; then
                rm -rf "$stale"
            fi
        done
        staging=$clients/.staging.$$
        mkdir "$staging" 2>/dev/null || cannot_write "$clients"
    }

    download() {
        url=$registry_url/$archive_path
        archive=$staging/client.tar.gz
        say "Downloading $url"
        # In the background, since a shell takes no signal while it waits for a command.
        case "$fetcher" in
        curl) curl -fsSL --retry 2 --connect-timeout 30 --max-filesize "$archive_size" -o "$archive" "$url" & ;;
        wget) wget -q -O "$archive" "$url" & ;;
        esac
        child=$!
        wait "$child" || {
            child=''
            fail "cannot download $url" "check the network and try again; nothing was changed"
        }
        child=''
        found=$(digest_of "$archive")
        [ "$found" = "$archive_digest" ] ||
            fail "the download is not what the registry signed: sha256:$found instead of sha256:$archive_digest" \
                "nothing was changed; try again, and tell the registry's operator if it stays so"
    }

    unpack() {
        mkdir "$staging/client"
        (cd "$staging/client" && gzip -dc <../client.tar.gz >../client.tar && tar -xof ../client.tar) ||
            fail "cannot unpack the client's archive" "is there room left in $prefix?"
        if [ ! -f "$staging/client/provisioning" ] && [ -f "$staging/client/bin/provisioning" ]; then
            ln -s bin/provisioning "$staging/client/provisioning"
        fi
        "$staging/client/provisioning" --version >/dev/null </dev/null ||
            fail "the client does not run on this machine ($target)" \
                "is $prefix on a file system that programs may run from?"
    }

    place() {
        home=$clients/$client_version
        if [ -f "$home/provisioning" ] &&
            [ "$(digest_of "$home/provisioning")" = "$(digest_of "$staging/client/provisioning")" ]; then
            say "The client $client_version is there already."
        else
            if exists "$home"; then
                mv "$home" "$staging/replaced"
            fi
            mv "$staging/client" "$home"
        fi
        link=$prefix/bin/.provisioning.$$
        rm -f "$link"
        ln -s "../lib/provisioning/client/$client_version/provisioning" "$link"
        mv -f "$link" "$program"
        link=''
        placed=yes
        rm -rf "$staging"
        staging=''
        say "Installed the client: $program"
    }

    client() {
        if [ "$quiet" = yes ]; then
            set -- --quiet "$@"
        fi
        "$program" --registry "$registry_url" --root-fingerprint "$root_fingerprint" --prefix "$prefix" "$@" </dev/null
    }

    # Completions and manual pages; an install is none the worse without them.
    place_shell_files() {
        if client completions --install >/dev/null 2>&1; then
            say "Installed completions and manual pages: $prefix/share"
        fi
    }

    # So that later commands need not name it; without a home there is nowhere to write it down.
    remember_registry() {
        if [ -n "${HOME:-}" ] && client registry add "$registry_url" >/dev/null 2>&1; then
            say "Remembered the registry for later commands."
        fi
    }

    run_install() {
        [ "$client_only" = no ] || return 0
        code=0
        client install "$spec" || code=$?
        if [ "$code" -ne 0 ]; then
            printf 'error: the client is installed, but it could not install %s\n' "$spec" >&2
            printf 'help: try again with: %s --registry %s --prefix %s install %s\n' \
                "$(quoted "$program")" "$(quoted "$registry_url")" "$(quoted "$prefix")" "$spec" >&2
            exit "$code"
        fi
    }

    # For loops over lists with one item on each line. (No here-documents: ksh93 never ends when its
    # script is cut just after the first line of one.)
    split_lines() {
        set -f
        IFS=$newline
    }

    split_words() {
        set +f
        unset IFS
    }

    # The profiles that the user's shell reads, one on each line, and the line that they need.
    find_profiles() {
        bin=$(quoted "$prefix/bin")
        line="case \":\$PATH:\" in *:$bin:*) ;; *) PATH=$bin:\"\$PATH\" && export PATH ;; esac # provisioning's installer"
        profiles=$HOME/.profile
        case "${SHELL:-}" in
        */bash)
            for login in "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"; do
                [ ! -f "$login" ] || break
            done
            profiles=$login$newline$HOME/.bashrc
            ;;
        */zsh) profiles=${ZDOTDIR:-$HOME}/.zshrc ;;
        */fish)
            profiles=${XDG_CONFIG_HOME:-$HOME/.config}/fish/conf.d/provisioning.fish
            line="fish_add_path -g $bin # provisioning's installer"
            ;;
        esac
    }

    edit_path() {
        case ":$PATH:" in
        *":$prefix/bin:"*) return 0 ;;
        esac
        case "$prefix" in
        *:*) modify_path=no ;;
        esac
        if [ -z "${HOME:-}" ]; then
            modify_path=no
            HOME=
        fi
        find_profiles
        if [ "$modify_path" = ask ]; then
            ask_for_path
        fi
        if [ "$modify_path" = no ]; then
            say ""
            say "$prefix/bin is not in PATH. To add it for this shell: export PATH=$bin:\"\$PATH\""
            return 0
        fi
        split_lines
        for profile in $profiles; do
            if [ -f "$profile" ] && grep -qF "$line" "$profile"; then
                continue
            fi
            if ! mkdir -p "${profile%/*}" || ! printf '\n%s\n' "$line" >>"$profile"; then
                fail "cannot write to $profile" "add this line to your shell's profile: $line"
            fi
            say "Added $prefix/bin to PATH in $profile; new shells have it."
        done
        split_words
    }

    # Consent is asked for on the terminal; where there is none, the answer is no.
    ask_for_path() {
        modify_path=no
        if [ "$quiet" = yes ] || [ ! -t 2 ] || ! (: </dev/tty) 2>/dev/null; then
            return 0
        fi
        printf 'Add %s to PATH in: %s[y/N] ' "$prefix/bin" "$(printf '%s\n' "$profiles" | tr '\n' ' ')" >/dev/tty
        read -r answer </dev/tty || answer=no
        case "$answer" in
        y | Y | yes | Yes | YES) modify_path=yes ;;
        esac
    }

    farewell() {
        say ""
        say "Done. Everything is below $prefix."
        command=$(quoted "$program")
        if [ "$prefix" != "$default_prefix" ]; then
            command="$command --prefix $(quoted "$prefix")"
        fi
        say "  to go on:      $command list"
        say "                 $command --help"
        say "  to uninstall:  curl -fsSL $(quoted "$script_url") | sh -s -- --uninstall --prefix $(quoted "$prefix")"
    }

    # Removes what is ours below the prefix; configuration in P/etc/provisioning stays.
    uninstall() {
        if [ ! -d "$prefix/lib/provisioning" ]; then
            say "Nothing of provisioning is in $prefix."
            return 0
        fi
        if [ "$dry_run" = yes ]; then
            say "Would remove $prefix/lib/provisioning and the links to it (dry run)."
            return 0
        fi
        for entry in "$prefix/bin"/* "$prefix/share/provisioning" "$prefix/share/man/man1"/provisioning* \
            "$prefix/share/bash-completion/completions/provisioning" "$prefix/share/zsh/site-functions/_provisioning" \
            "$prefix/share/fish/vendor_completions.d/provisioning.fish" \
            "$prefix/share/nushell/vendor/autoload/provisioning.nu" "$prefix/share/powershell/provisioning.ps1"; do
            if is_ours "$entry"; then
                rm -f "$entry"
            fi
        done
        if [ -L "$prefix/extensions" ] && [ ! -e "$prefix/extensions" ]; then
            rm -f "$prefix/extensions"
        fi
        # The store is read-only, also for its owner.
        if ! chmod -R u+w "$prefix/lib/provisioning" || ! rm -rf "$prefix/lib/provisioning"; then
            cannot_write "$prefix/lib/provisioning"
        fi
        for folder in "$prefix/bin" "$prefix/share/man/man1" "$prefix/share/man" \
            "$prefix/share/bash-completion/completions" "$prefix/share/bash-completion" \
            "$prefix/share/zsh/site-functions" "$prefix/share/zsh" \
            "$prefix/share/fish/vendor_completions.d" "$prefix/share/fish" \
            "$prefix/share/nushell/vendor/autoload" "$prefix/share/nushell/vendor" "$prefix/share/nushell" \
            "$prefix/share/powershell" \
            "$prefix/share" "$prefix/lib" "$prefix"; do
            rmdir "$folder" 2>/dev/null || :
        done
        if [ -n "${HOME:-}" ]; then
            find_profiles
            split_lines
            for profile in $profiles; do
                forget_path "$profile"
            done
            split_words
        fi
        say "Removed provisioning from $prefix."
        for left in "$prefix/etc/provisioning" "${XDG_CONFIG_HOME:-${HOME:-}/.config}/provisioning" \
            "${XDG_CACHE_HOME:-${HOME:-}/.cache}/provisioning" "${XDG_STATE_HOME:-${HOME:-}/.local/state}/provisioning"; do
            [ ! -d "$left" ] || say "Left for you to keep or remove: $left"
        done
    }

    # Takes our line out of a profile, in place: it may be a link, and keeps its mode.
    forget_path() {
        if [ -f "$1" ] && grep -qF "$line" "$1"; then
            kept=$(grep -vF "$line" "$1" || :)
            if [ -n "$kept" ]; then
                printf '%s\n' "$kept" >"$1"
            else
                rm -f "$1"
            fi
            say "Removed $prefix/bin from PATH in $1."
        fi
    }

    # Runs at every exit: nothing half-done stays, and no folder that was made for it.
    finish() {
        code=$?
        trap - EXIT HUP INT TERM
        if [ -n "$child" ]; then
            kill "$child" 2>/dev/null || :
            wait "$child" 2>/dev/null || :
        fi
        [ -z "$link" ] || rm -f "$link"
        [ -z "$staging" ] || rm -rf "$staging"
        if [ "$placed" = no ]; then
            split_lines
            for folder in $created; do
                rmdir "$folder" 2>/dev/null || :
            done
        fi
        exit "$code"
    }
{% endif %}

    main "$@"
}
