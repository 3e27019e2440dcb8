describe() { for m in "${machines[@]}"; do echo "$m ${machine_pid[$m]}"; done; }
