#!/usr/bin/env pwsh
# Installs provisioning: first the client, then with it a bundle. For PowerShell 7 on Linux and macOS:
#
#   Invoke-WebRequest URL/install.ps1 -OutFile install.ps1; ./install.ps1 -Bundle stable
#
# Each choice has a variable too: PROVISIONING_BUNDLE, PROVISIONING_PREFIX, PROVISIONING_REGISTRY,
# PROVISIONING_CLIENT_ONLY=1, PROVISIONING_MODIFY_PATH=1, PROVISIONING_DRY_RUN=1.
#
# PowerShell reads a script whole before it runs any of it, and all of it is one block of which the
# closing brace is the last byte: one that was cut off runs nothing.
param(
    [string]$Bundle = $env:PROVISIONING_BUNDLE,
    [string]$Prefix = $env:PROVISIONING_PREFIX,
    [string]$Registry = $env:PROVISIONING_REGISTRY,
    [switch]$ClientOnly,
    [switch]$ModifyPath,
    [switch]$NoModifyPath,
    [switch]$DryRun
)

& {
{% if not client %}
    function Install-Provisioning {
        $registryName = {{ registry_name | ps }}
        $registryUrl = {{ base_url | ps }}
        [Console]::Error.WriteLine("error: the registry $registryName ($registryUrl) has no client published yet, so there is nothing to install with")
        [Console]::Error.WriteLine('help: try again later, or ask its operator to publish one')
        exit 1
    }
{% else %}
    $ErrorActionPreference = 'Stop'

    function Get-Embedded {
        return @{
            RegistryName = {{ registry_name | ps }}
            RegistryUrl = {{ base_url | ps }}
            RootFingerprint = {{ root_fingerprint | ps }}
            ClientVersion = {{ client.version | ps }}
            ScriptUrl = {{ (base_url ~ "/install.sh") | ps }}
            Archives = @{
{% for archive in client.archives %}
                {{ archive.target | ps }} = @{ Path = {{ archive.path | ps }}; Digest = {{ archive.hex | ps }}; Size = {{ archive.size }} }
{% endfor %}
            }
        }
    }

    function Stop-Install([string]$Cause, [string]$Hint) {
        [Console]::Error.WriteLine("error: $Cause")
        [Console]::Error.WriteLine("help: $Hint")
        exit 1
    }

    function Test-Switch([string]$Value) {
        return $Value -notin @('', '0', 'n', 'no', 'false', 'off')
    }

    function Get-Target {
        if ($PSVersionTable.PSVersion.Major -lt 6 -or $IsWindows) {
            Stop-Install 'there is no client for Windows' 'install it in the Windows Subsystem for Linux (WSL), with the sh script'
        }
        $system = (& uname -s)
        $machine = (& uname -m)
        switch ($system) {
            'Linux' { $system = 'linux' }
            'Darwin' { $system = 'macos' }
        }
        switch ($machine) {
            'amd64' { $machine = 'x86_64' }
            'aarch64' { $machine = 'arm64' }
        }
        # A program that Rosetta translates sees x86_64 on an arm64 machine.
        if ($system -eq 'macos') {
            $translated = (& sysctl -n sysctl.proc_translated 2>$null)
            if ($translated -eq '1') {
                $machine = 'arm64'
            }
        }
        return "$system-$machine"
    }

    function Get-DefaultPrefix {
        if ((& id -u) -eq '0') {
            return '/usr/local'
        }
        if (-not $env:HOME) {
            Stop-Install 'HOME is not set' 'say where to install with -Prefix DIR'
        }
        return (Join-Path $env:HOME '.provisioning')
    }

    # Refuses a prefix in which the client's name is taken by something that is not ours.
    function Assert-Ours([string]$Program) {
        $item = Get-Item -LiteralPath $Program -Force -ErrorAction SilentlyContinue
        if ($null -eq $item) {
            return
        }
        if ($item.LinkType -ne 'SymbolicLink' -or -not ("$($item.Target)" -like '*lib/provisioning/*')) {
            Stop-Install "$Program exists and was not put there by provisioning" 'move it away, or choose another prefix with -Prefix DIR'
        }
    }

    # The folders of a path that are not there yet, innermost first.
    function Get-MissingFolder([string]$Folder) {
        $missing = @()
        while ($Folder -and -not (Test-Path -LiteralPath $Folder)) {
            $missing += $Folder
            $Folder = Split-Path -Parent $Folder
        }
        return $missing
    }

    # Runs a program of the system, and throws where it fails.
    function Invoke-Tool([string]$Program, [string[]]$Arguments) {
        & $Program @Arguments
        if ($LASTEXITCODE -ne 0) {
            throw "$Program $Arguments failed with exit code $LASTEXITCODE"
        }
    }

    function Get-Client([string]$Url, [hashtable]$Archive, [string]$Staging) {
        $file = Join-Path $Staging 'client.tar.gz'
        Invoke-WebRequest -Uri $Url -OutFile $file -UseBasicParsing
        $found = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
        if ($found -ne $Archive.Digest) {
            throw "the download is not what the registry signed: sha256:$found instead of sha256:$($Archive.Digest)"
        }
        $unpacked = Join-Path $Staging 'client'
        Invoke-Tool 'mkdir' @($unpacked)
        Invoke-Tool 'tar' @('-xzof', $file, '-C', $unpacked)
        $program = Join-Path $unpacked 'provisioning'
        if (-not (Test-Path -LiteralPath $program)) {
            Invoke-Tool 'ln' @('-s', 'bin/provisioning', $program)
        }
        Invoke-Tool $program @('--version') | Out-Null
        return $unpacked
    }

    # Makes the unpacked client visible: a rename, then a new link over the old one.
    function Publish-Client([string]$Unpacked, [string]$Prefix, [string]$Version, [string]$Staging) {
        $clientFolder = "$Prefix/lib/provisioning/client/$Version"
        if (Test-Path -LiteralPath $clientFolder) {
            Invoke-Tool 'mv' @($clientFolder, "$Staging/replaced")
        }
        Invoke-Tool 'mv' @($Unpacked, $clientFolder)
        $link = "$Prefix/bin/.provisioning.$PID"
        Invoke-Tool 'ln' @('-s', "../lib/provisioning/client/$Version/provisioning", $link)
        Invoke-Tool 'mv' @('-f', $link, "$Prefix/bin/provisioning")
    }

    # A failure takes away what was staged and the folders that were made.
    function Install-Client([hashtable]$Facts, [string]$Url, [hashtable]$Archive, [string]$Prefix) {
        $clients = "$Prefix/lib/provisioning/client"
        $staging = "$clients/.staging.$PID"
        $missing = @(Get-MissingFolder $clients) + @(Get-MissingFolder "$Prefix/bin")
        $placed = $false
        try {
            Invoke-Tool 'mkdir' @('-p', $clients, "$Prefix/bin")
            Invoke-Tool 'mkdir' @($staging)
            $unpacked = Get-Client $Url $Archive $staging
            Publish-Client $unpacked $Prefix $Facts.ClientVersion $staging
            $placed = $true
        } catch {
            Write-Host "cause: $($_.Exception.Message)"
        } finally {
            & rm -rf $staging
            if (-not $placed) {
                $longestFirst = $missing | Sort-Object -Unique -Descending
                foreach ($folder in $longestFirst) {
                    & rmdir $folder 2>$null
                }
            }
        }
        if (-not $placed) {
            Stop-Install "cannot install the client from $Url" 'nothing was changed; check the network and the prefix, and try again'
        }
    }

    function Edit-Path([string]$Prefix, [bool]$Consent) {
        $bin = "$Prefix/bin"
        if (($env:PATH -split ':') -contains $bin) {
            return
        }
        $quoted = $bin.Replace("'", "''")
        $line = "`$env:PATH = '${quoted}:' + `$env:PATH # provisioning's installer"
        if (-not $Consent) {
            Write-Host "$bin is not in PATH; this adds it for this shell: $line"
            return
        }
        $profileFile = $PROFILE.CurrentUserAllHosts
        $present = Select-String -LiteralPath $profileFile -SimpleMatch $line -Quiet -ErrorAction SilentlyContinue
        if (-not $present) {
            New-Item -ItemType Directory -Force -Path (Split-Path -Parent $profileFile) | Out-Null
            Add-Content -LiteralPath $profileFile -Value $line
            Write-Host "Added $bin to PATH in $profileFile; new shells have it."
        }
    }

    function Install-Provisioning {
        $facts = Get-Embedded
        $spec = if ($Bundle) { $Bundle } else { 'stable' }
        $url = if ($Registry) { $Registry } else { $facts.RegistryUrl }
        $url = $url.TrimEnd('/')
        $target = Get-Target
        $archive = $facts.Archives[$target]
        if ($null -eq $archive) {
            $archive = $facts.Archives['any']
        }
        if ($null -eq $archive) {
            $known = $facts.Archives.Keys -join ' '
            Stop-Install "$($facts.RegistryName) has no client $($facts.ClientVersion) for $target" "it has one for: $known"
        }
        $root = if ($Prefix) { $Prefix } else { Get-DefaultPrefix }
        $root = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($root)
        $program = "$root/bin/provisioning"
        Assert-Ours $program
        Write-Host "Registry:  $($facts.RegistryName), $url"
        Write-Host "Root:      $($facts.RootFingerprint)"
        Write-Host "Client:    $($facts.ClientVersion) for $target ($($archive.Size) bytes)"
        Write-Host "Installs:  $spec"
        Write-Host "Prefix:    $root"
        if ($DryRun -or (Test-Switch $env:PROVISIONING_DRY_RUN)) {
            Write-Host 'Nothing was changed (dry run).'
            return
        }

        Install-Client $facts "$url/$($archive.Path)" $archive $root
        Write-Host "Installed the client: $program"
        $global = @('--registry', $url, '--root-fingerprint', $facts.RootFingerprint, '--prefix', $root)
        & $program @global completions --install *>$null
        & $program @global registry add $url *>$null
        if (-not ($ClientOnly -or (Test-Switch $env:PROVISIONING_CLIENT_ONLY))) {
            & $program @global install $spec
            $code = $LASTEXITCODE
            if ($code -ne 0) {
                [Console]::Error.WriteLine("error: the client is installed, but it could not install $spec")
                exit $code
            }
        }
        $consent = $ModifyPath -or (Test-Switch $env:PROVISIONING_MODIFY_PATH)
        $refused = $NoModifyPath -or (Test-Switch $env:PROVISIONING_NO_MODIFY_PATH)
        Edit-Path $root ($consent -and -not $refused)
        Write-Host ''
        Write-Host "Done. Everything is below $root."
        Write-Host "  to go on:      $program --prefix '$root' list"
        Write-Host "  to uninstall:  curl -fsSL $($facts.ScriptUrl) | sh -s -- --uninstall --prefix '$root'"
    }
{% endif %}

    Install-Provisioning
}
