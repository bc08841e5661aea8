#!/bin/bash
# SPDX-License-Identifier: MIT
# DESIGN.md section 3: what each artefact links, exports and must not call, from one allow-list.
# Speaks TAP.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
n=0 bad=0

say() { # STATUS TEXT
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

# artefact | may need, beyond libc | must export exactly (extended regexp) | must not call
allowed() {
  cat <<'LIST'
libnss_prism.so.2||_nss_prism_[a-z_]+|malloc|calloc|free|getenv|secure_getenv|syslog|openlog|exit|_exit|abort|umask|strtok|setlocale|socket|connect|pthread_create|fork|fopen
pam_prism.so|libpam.so.0|pam_sm_[a-z_]+|getenv|openlog|exit|_exit|abort|umask|strtok|system|popen
prism-keys|||getenv|umask|strtok|system|popen|socket|connect|fork
prism-sync|libcurl.so.4 libjansson.so.4 libcrypto.so.3 libsystemd.so.0 libseccomp.so.2 libinih.so.1 libqrencode.so.4||umask|strtok|system|popen
prism-central|libevent-2.1.so.7 libevent_core-2.1.so.7 libevent_extra-2.1.so.7 libevent_pthreads-2.1.so.7 libevent_openssl-2.1.so.7 libjansson.so.4 libssl.so.3 libcrypto.so.3 libcurl.so.4 libsqlite3.so.0 libpq.so.5 libqrencode.so.4 libinih.so.1 libsystemd.so.0 libresolv.so.2||umask|strtok|system|popen
prism-saml|liblasso.so.3 libxml2.so.2 libgobject-2.0.so.0 libglib-2.0.so.0 libjansson.so.4 libcrypto.so.3 libseccomp.so.2||umask|strtok|system|popen|socket|connect|fork|fopen
prism|libcurl.so.4 libjansson.so.4 libcrypto.so.3 libqrencode.so.4||umask|strtok|system|popen
LIST
}

check_needed() { # FILE ALLOWED
  local lib rest=""
  for lib in $(objdump -p "$1" | awk '/NEEDED/ { print $2 }'); do
    case " libc.so.6 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 $2 " in *" $lib "*) ;; *) rest="$rest $lib" ;; esac
  done
  [ -z "$rest" ] || echo "#   links$rest"
  [ -z "$rest" ]
}

check_exports() { # FILE REGEXP
  local rest
  rest=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sed 's/@.*//' | grep -vxE "$2")
  [ -z "$rest" ] || echo "#   exports" $rest
  [ -z "$rest" ] && nm -D --defined-only "$1" | grep -q .
}

check_banned() { # FILE ALTERNATIVES
  local rest
  rest=$(nm -D --undefined-only "$1" | awk '{ print $2 }' | sed 's/@.*//' | grep -xE "($2)")
  [ -z "$rest" ] || echo "#   calls" $rest
  [ -z "$rest" ]
}

check_hardened() { # FILE
  objdump -p "$1" | grep -q RELRO && readelf -d "$1" | grep -qE 'BIND_NOW|FLAGS.*NOW' &&
    ! readelf -lW "$1" | grep -E 'GNU_STACK.*RWE' | grep -q .
}

while IFS='|' read -r file libs exports banned; do
  f=$B/$file
  [ -e "$f" ] || { say 1 "$file is built"; continue; }
  check_needed "$f" "$libs"; say $? "D3 $file links only what it may"
  [ -z "$exports" ] || { check_exports "$f" "$exports"; say $? "D3 $file exports its entry points alone"; }
  check_banned "$f" "$banned"; say $? "STYLE 21 $file calls nothing that is banned there"
  check_hardened "$f"; say $? "D3 $file has full RELRO and no executable stack"
done < <(allowed)

# A header of another artefact, or a way round the include path, is a layering fault.
found=$(grep -nE '#include "\.\./' -r lib nss_prism pam_prism prism prism-keys prism-saml prism-sync prism-central --include='*.[ch]')
say $([ -z "$found" ]; echo $?) "D3 no include leaves its folder by ../"
found=$(grep -lE '#include <(event2/|evhttp)' -r prism-central lib prism prism-sync --include='*.[ch]' | grep -v '/http')
[ -z "$found" ] || echo "#  " $found
say $([ -z "$found" ]; echo $?) "D3 only http*.c includes libevent"
found=$(grep -lE '#include <sqlite3' -r prism-central lib --include='*.[ch]' | grep -v '/store_sqlite')
[ -z "$found" ] || echo "#  " $found
say $([ -z "$found" ]; echo $?) "D3 only store_sqlite*.c includes sqlite3"
echo "1..$n"
exit $bad
