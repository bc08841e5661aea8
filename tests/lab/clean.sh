#!/bin/bash
# SPDX-License-Identifier: MIT
# Remove what a killed lab has left (directories, empty cgroups): its processes and mounts died with it.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

[ -d "$LAB_ROOT" ] || exit 0
exec 9>>"$LAB_ROOT/lock"
flock -n 9 || lab_die "a lab of this checkout is running"
lab_sweep_stale
