# Operations a second of every workload and engine: a row a workload, a point an engine, the best named with its lead.
load "bench-params.gp"
load "rates-rows.gp"
height = 132 + 25 * rows
made_at = 14.0 / height
legend_y = 1 - 48.0 / height
set ytics ()
load "bench-style.gp"
load "rates-rows.gp"
unset title
set label 98 "Which engine is fastest at what?" at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
set logscale x
set xtics ("1" 1, "10" 10, "100" 1e2, "1k" 1e3, "10k" 1e4, "100k" 1e5, "1M" 1e6, "10M" 1e7, "100M" 1e8)
set grid xtics lc rgb "#DDDDDD" lw 0.6 dt 1
set xlabel (by_cpu ? "operations per CPU-second (log scale)" : "operations per second of virtual time (log scale)").(waits ? (by_cpu ? "    * a second of the clock: it waits for the disk" : "") : "") font ",11" textcolor rgb ink
set offsets graph 0.03, graph 0.03, 0, 0
set yrange [-rows + 0.4:0.6]
set lmargin at screen 0.27
set rmargin at screen 0.755
set tmargin at screen 1 - 66.0 / height
set bmargin at screen 84.0 / height
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../rates", 900, height) : open_png("../rates", 900, height))
    plot for [e = 0 : engines - 1] "rates.tsv" using ($3 == e ? $1 : 1/0):2 with points pt shape(e) ps 1.2 lc rgb colour(e) notitle
    set output
}
