#!/bin/sh
# Installs Mailstead on a Linux machine, or brings an installed one up to date: it is the same command.
# Plain POSIX shell. It first looks, then says what it is going to do, and only then does it.
set -eu
umask 022

user=mailstead
config_folder=/etc/mailstead
config=$config_folder/mailstead.toml
data=/var/lib/mailstead
unit_folder=/etc/systemd/system
unit=$unit_folder/mailstead.service
usual_ports="25 80 110 143 443 465 587 993 995"

prefix=/usr/local
source=
hostname=
dry_run=
uninstall=
assume_yes=

usage() {
    cat <<'END'
Usage: ./install.sh [--hostname NAME] [--binary FILE] [--prefix DIR] [--yes] [--dry-run]
       ./install.sh --uninstall [--prefix DIR] [--yes] [--dry-run]

Installs the mail server Mailstead as a systemd service, or upgrades it: configuration and mail stay, the
program is exchanged, the one before is kept beside it as mailstead.previous. Run it as root.

  --hostname NAME  the server's own name, such as mail.example.org (asked for when left out)
  --binary FILE    install this program; else it is built from this checkout with cargo
  --prefix DIR     the program goes to DIR/bin [default: /usr/local]
  --yes            do not ask before beginning
  --dry-run        say what would be done, and change nothing
  --uninstall      remove program and service; mail and configuration stay where they are
  --help           this text

Configuration: /etc/mailstead/mailstead.toml. Mail and everything else it keeps: /var/lib/mailstead.
END
}

say() { printf '%s\n' "$*"; }
note() { printf '  - %s\n' "$*"; }
die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --hostname | --binary | --prefix)
                if [ -z "${2:-}" ]; then die "$1 needs a value behind it; see ./install.sh --help"; fi
                case $1 in
                    --hostname) hostname=$2 ;;
                    --binary) source=$2 ;;
                    --prefix) prefix=$2 ;;
                esac
                shift
                ;;
            --hostname=*) hostname=${1#*=} ;;
            --binary=*) source=${1#*=} ;;
            --prefix=*) prefix=${1#*=} ;;
            --yes | -y) assume_yes=yes ;;
            --dry-run) dry_run=yes ;;
            --uninstall) uninstall=yes ;;
            --help | -h)
                usage
                exit 0
                ;;
            *) die "$1 is not known here; see ./install.sh --help" ;;
        esac
        shift
    done
    case $prefix in
        # The service can't see these: ProtectHome and PrivateTmp hide them.
        /home | /home/* | /root | /root/* | /tmp | /tmp/* | /var/tmp | /var/tmp/* | /run/*)
            die "--prefix $prefix is hidden from the service: choose a folder such as /usr/local or /opt/mailstead"
            ;;
        *[!A-Za-z0-9/._+-]*) die "--prefix $prefix: letters, digits and / . _ + - only, please" ;;
        /*) ;;
        *) die "--prefix needs a full path, such as /usr/local" ;;
    esac
    program=${prefix%/}/bin/mailstead
}

# ---- Looking --------------------------------------------------------------------------------------------------------

systemd_runs() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

state_of_service() { systemctl is-active mailstead 2>/dev/null || true; }

# Takes a line of the configuration in force: `setting data`.
setting() { printf '%s\n' "$in_force" | sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" | head -n 1; }

# What the configuration in force says, where there is one and this program understands it.
look_at_configuration() {
    in_force=''
    ports=$usual_ports
    [ -e "$config" ] && [ -x "$1" ] || return 0
    in_force=$("$1" --config "$config" config check 2>/dev/null) || in_force=
    [ -n "$in_force" ] || return 0
    data=$(setting data)
    ports=$(printf '%s\n' "$in_force" | sed -n '/^\[listen\]/,/^\[[^l]/p' | tr ',' '\n' |
        sed -n 's/.*:\([0-9][0-9]*\)".*/\1/p' | sort -nu | tr '\n' ' ')
}

# The kernel's inode numbers of the sockets that listen on a TCP port.
listening_sockets() {
    hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port=":$hex\$" '$2 ~ port && $4 == "0A" { print $10 }'
}

# The number of the process that has a socket.
process_with_socket() {
    for open_file in /proc/[0-9]*/fd/*; do
        if [ "$(readlink "$open_file" 2>/dev/null)" = "socket:[$1]" ]; then
            open_file=${open_file#/proc/}
            printf '%s\n' "${open_file%%/*}"
            return 0
        fi
    done
}

# The systemd service a process belongs to, if it does.
service_of() {
    found=$(sed -n 's|^0::.*/\([^/]*\.service\)$|\1|p; s|^1:name=systemd:.*/\([^/]*\.service\)$|\1|p' \
        "/proc/$1/cgroup" 2>/dev/null | head -n 1)
    case $found in
        # Debian's Postfix is one service that starts instances.
        postfix@*) say postfix.service ;;
        ?*) printf '%s\n' "$found" ;;
    esac
}

how_to_stop() {
    holder=$1 name=$2
    service=$(service_of "$holder")
    case $name in
        docker-proxy) say "docker ps    # find the container that publishes the port, then: docker stop NAME" ;;
        systemd) say "systemctl list-sockets    # find the socket unit, then: systemctl disable --now NAME.socket" ;;
        *)
            if [ -n "$service" ]; then
                say "systemctl disable --now $service"
            else
                say "kill $holder    # and see to it that $name is not started again at boot"
            fi
            ;;
    esac
}

# Who else listens on our ports: a line each, and commands that end it, each once.
look_at_ports() {
    taken=''
    remedies=''
    for port in $ports; do
        for socket in $(listening_sockets "$port"); do
            holder=$(process_with_socket "$socket")
            name=$(cat "/proc/${holder:-none}/comm" 2>/dev/null || say "a program that can't be seen from here")
            [ "$name" != mailstead ] || continue
            taken="${taken}Port $port is taken by $name${holder:+ (process $holder)}.
"
            [ -z "$holder" ] || remedies="$remedies$(how_to_stop "$holder" "$name")
"
        done
    done
    # IPv4 and IPv6 are two sockets of one program.
    taken=$(printf '%s' "$taken" | sort -u) remedies=$(printf '%s' "$remedies" | sort -u)
}

# What a firewall that is switched on would have to let through.
firewall_hint() {
    list=$(printf '%s' "${ports% }" | tr ' ' ',')
    if command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then
        say "The firewall ufw is active. Let mail in:  ufw allow $list/tcp"
    elif command -v firewall-cmd >/dev/null && firewall-cmd --state >/dev/null 2>&1; then
        say "The firewall firewalld is active. Let mail in:"
        for port in $ports; do say "  firewall-cmd --permanent --add-port=$port/tcp"; done
        say "  firewall-cmd --reload"
    elif command -v nft >/dev/null && nft list ruleset 2>/dev/null | grep -q 'hook input.*policy drop'; then
        say "nftables drops what it does not know. Let mail in, in the chain with 'hook input' of /etc/nftables.conf:"
        say "  tcp dport { $list } accept"
    fi
}

# Without the world's certificate authorities neither names nor certificates can be had.
authorities_missing() {
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem \
        /etc/ssl/cert.pem; do
        if [ -e "$file" ]; then return 1; fi
    done
}

choose_hostname() {
    [ ! -e "$config" ] || return 0
    if [ -z "$hostname" ] && [ -t 0 ]; then
        guess=$(hostname -f 2>/dev/null || true)
        case $guess in *.*) ;; *) guess= ;; esac
        say "The server's own name on the internet, such as mail.example.org. Its DNS record leads to this machine."
        printf 'Host name%s: ' "${guess:+ [$guess]}"
        read -r hostname
        hostname=${hostname:-$guess}
    fi
    [ -n "$hostname" ] || die "say the server's own name: ./install.sh --hostname mail.example.org"
    case $hostname in
        *[!A-Za-z0-9.-]* | -* | .* | *. | *..*) die "$hostname is not a host name: write it like mail.example.org" ;;
        *.*) ;;
        *) die "$hostname is only the first part of a name: write all of it, like mail.example.org" ;;
    esac
}

# Where the new program comes from: given, lying beside this script, or built here.
choose_source() {
    here=$(cd "$(dirname "$0")" && pwd)
    if [ -z "$source" ] && [ ! -e "$here/Cargo.toml" ] && [ -f "$here/mailstead" ]; then
        source=$here/mailstead
    fi
    if [ -n "$source" ]; then
        [ -f "$source" ] || die "--binary $source: there is no such file"
        new_version=$("$source" --version 2>/dev/null) ||
            die "$source does not run on this machine ($(uname -m)): take a build for it, or build it here"
    else
        [ -e "$here/Cargo.toml" ] || die "there is no checkout around this script: name a program with --binary FILE"
        new_version="mailstead, built from $here"
    fi
}

# ---- Saying ---------------------------------------------------------------------------------------------------------

say_plan() {
    if [ -x "$program" ]; then
        say "Mailstead is installed here ($("$program" --version 2>/dev/null || say "a program that does not run"))." \
            "This will bring it up to date:"
    else
        say "This will install Mailstead:"
    fi
    [ -n "$source" ] || note "build the program: cargo build --release --locked (takes some minutes)"
    if authorities_missing; then note "install the package ca-certificates"; fi
    if same_program; then
        note "leave $program: it is this very program already"
    else
        note "put the program ($new_version) at $program"
        [ ! -e "$program" ] || note "keep the one before as $program.previous"
    fi
    id "$user" >/dev/null 2>&1 || note "make the system user $user, without login"
    if [ -e "$config" ]; then
        note "leave the configuration $config as it is ${hostname:+(host name: $hostname)}"
    else
        note "write the configuration $config for the host name $hostname"
    fi
    if [ -d "$data" ]; then note "leave all mail in $data"; else note "make the folder $data for mail (mode 0700)"; fi
    note "write the service $unit"
    if ! systemd_runs; then
        note "start nothing: systemd does not run here"
    elif [ -n "$taken" ]; then
        note "start nothing yet, because of this:"
        printf '%s\n' "$taken" | sed 's/^/      /'
    elif [ "$leave_stopped" ]; then
        note "leave the service stopped, as it is"
    else
        note "start the service now and at every boot"
    fi
}

same_program() { [ -n "$source" ] && cmp -s "$source" "$program"; }

confirm() {
    if [ -n "$dry_run" ]; then
        say "Nothing was changed (--dry-run)."
        exit 0
    fi
    [ "$(id -u)" = 0 ] || die "run it as root for that, for example with sudo"
    if [ -z "$assume_yes" ] && [ -t 0 ]; then
        printf 'Go on? [Y/n] '
        read -r answer
        case $answer in [Nn]*) die "nothing was changed" ;; esac
    fi
}

# ---- Doing ----------------------------------------------------------------------------------------------------------

build() {
    [ -z "$source" ] || return 0
    say "Building the program."
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        # Whoever owns the checkout has the toolchain, and wants no files of root's in it.
        su -l "$SUDO_USER" -c "cd '$here' && cargo build --release --locked --target-dir '$here/target'" ||
            die "the program can't be built; nothing was changed"
    else
        command -v cargo >/dev/null ||
            die "cargo is missing: get Rust from https://rustup.rs, or name a ready program with --binary FILE"
        (cd "$here" && cargo build --release --locked --target-dir "$here/target") ||
            die "the program can't be built; nothing was changed"
    fi
    source=$here/target/release/mailstead
}

install_authorities() {
    authorities_missing || return 0
    command -v apt-get >/dev/null || die "install your system's package ca-certificates, then run this again"
    apt-get install -y ca-certificates >/dev/null ||
        die "the package ca-certificates can't be installed: try apt-get update, then run this again"
}

make_user() {
    id "$user" >/dev/null 2>&1 && return 0
    command -v useradd >/dev/null || die "useradd is missing: make a system user $user yourself and run this again"
    useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin "$user"
}

make_folders() {
    [ -d "$config_folder" ] || install -d -m 0750 -g "$user" "$config_folder"
    [ -d "$data" ] || install -d -m 0700 -o "$user" -g "$user" "$data"
}

# Never leaves half a file, and checks before anybody relies on it.
write_configuration() {
    [ ! -e "$config" ] || return 0
    "$source" config example | sed "s/^hostname = .*/hostname = \"$hostname\"/" >"$config.new"
    "$source" --config "$config.new" config check >/dev/null || {
        rm -f "$config.new"
        die "no configuration can be made with the host name $hostname"
    }
    chgrp "$user" "$config.new"
    chmod 0640 "$config.new"
    mv "$config.new" "$config"
}

# A rename swaps it: whoever starts the program meanwhile gets the old one or the new one, whole.
swap_program() {
    same_program && return 0
    "$source" --config "$config" config check >/dev/null ||
        die "the new program does not accept $config: mend it, then run this again; the old program stays"
    install -d -m 0755 "${program%/*}"
    install -m 0755 "$source" "$program.new"
    if [ -e "$program" ]; then ln -f "$program" "$program.previous"; fi
    mv -f "$program.new" "$program"
    sync
}

write_unit() {
    install -d -m 0755 "$unit_folder"
    "$program" config unit | sed "s|^ExecStart=[^ ]*|ExecStart=$program|" >"$unit.new"
    if [ "$data" != /var/lib/mailstead ]; then
        sed "s|^StateDirectoryMode=.*|&\\
ReadWritePaths=$data|" "$unit.new" >"$unit.own" && mv "$unit.own" "$unit.new"
    fi
    mv "$unit.new" "$unit"
    if systemd_runs; then systemctl daemon-reload; fi
}

start_service() {
    systemctl enable --quiet mailstead
    say "Starting the service."
    systemctl restart mailstead && return 0
    say "It does not start; here is why:" >&2
    journalctl -u mailstead -n 15 --no-pager -o cat >&2 || true
    if [ -e "$program.previous" ]; then
        say "Back to the program before:  mv $program.previous $program && systemctl restart mailstead" >&2
    fi
    exit 1
}

say_what_next() {
    firewall_hint
    if ! systemd_runs; then
        cat <<END
Mailstead is installed. systemd does not run here. Where it does, start it with:
  systemctl enable --now mailstead
Without it, as root:
  setpriv --reuid=$user --regid=$user --clear-groups --no-new-privs --bounding-set=-all,+net_bind_service \\
    --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service $program serve
Then open this address in your browser:
  https://$hostname/
END
    elif [ -n "$taken" ]; then
        say "Mailstead is installed but not started:"
        printf '%s\n' "$taken" | sed 's/^/  /'
        say "Stop what is in the way:"
        printf '%s\n' "$remedies" | sed 's/^/  /'
        say "Then run this again. To leave a port to the other program, set that service to [] under [listen] in" \
            "$config instead."
        exit 3
    elif [ "$leave_stopped" ]; then
        say "Mailstead is up to date and stopped, as it was. Start it:  systemctl start mailstead"
    else
        say "Mailstead runs. Open this address in your browser:"
        say_address
    fi
}

# Once, until somebody governs the server, it is a link that leads through the set-up.
say_address() {
    remarks=$(mktemp)
    if link=$("$program" setup --link 2>"$remarks"); then
        say "  $link"
        cat "$remarks"
    else
        say "  https://$hostname/"
    fi
    rm -f "$remarks"
}

install_it() {
    choose_hostname
    choose_source
    if [ -x "$program" ]; then look_at_configuration "$program"; else look_at_configuration "$source"; fi
    [ ! -e "$config" ] || hostname=$(setting hostname)
    look_at_ports
    leave_stopped=
    if systemd_runs && systemctl is-enabled --quiet mailstead 2>/dev/null && [ "$(state_of_service)" = inactive ]; then
        leave_stopped=yes
    fi
    say_plan
    confirm
    build
    install_authorities
    make_user
    make_folders
    write_configuration
    swap_program
    write_unit
    if systemd_runs && [ -z "$taken" ] && [ -z "$leave_stopped" ]; then start_service; fi
    say_what_next
}

remove_it() {
    if [ ! -e "$program" ] && [ ! -e "$unit" ]; then die "Mailstead is not installed at $program"; fi
    look_at_configuration "$program"
    say "This will remove Mailstead:"
    note "stop the service and remove $unit"
    note "remove $program and $program.previous"
    note "leave all mail in $data and the configuration in $config_folder"
    confirm
    if systemd_runs && [ -e "$unit" ]; then
        systemctl disable --quiet --now mailstead
    fi
    rm -f "$unit" "$unit_folder/multi-user.target.wants/mailstead.service" "$program" "$program.previous" "$program.new"
    if systemd_runs; then systemctl daemon-reload; fi
    say "Mailstead is removed. What is left:"
    say "  $data    all mail, accounts and keys"
    say "  $config_folder    the configuration"
    say "Installed again, it goes on where it stopped. To throw all mail away for good:"
    say "  rm -r $data $config_folder && userdel $user"
}

read_arguments "$@"
[ "$(uname -s)" = Linux ] || die "Mailstead runs on Linux only"
if [ -n "$uninstall" ]; then remove_it; else install_it; fi
