# Latency over time: quantile lines over the density of single operations, faults as bands behind.
load "params.gp"
load "style.gp"
set title "How long did clients wait for an answer?" offset 0,0.75 * band_rows
set ylabel "latency of acknowledged operations (ms, log scale)" font ",11" textcolor rgb ink
set logscale y
set format y "%g"
set lmargin 10
set rmargin at screen 0.84
set tmargin at screen 1 - (42 + 16.0 * band_rows) / 460
set bmargin at screen 74.0 / 460
load "bands.gp"
if (latency_high == 0) {
    set yrange [0.1:10]
    set label 98 "nothing was acknowledged" at graph 0.5, graph 0.5 center font ",11" textcolor rgb ink
}
# One value alone has no range of its own.
if (latency_high > 0 && latency_low == latency_high) { set yrange [latency_low / 2:latency_high * 2] }
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../latency", 1000, 460) : open_png("../latency", 1000, 460))
    plot "latencies.tsv" using 1:2 with points pt 7 ps 0.25 lc rgb "#B5D9EE" title "one operation", \
         "series.tsv" using 1:($5 > 0 ? $5 : 1/0) with lines lw 1.8 lc rgb leader title "p50", \
         "series.tsv" using 1:($6 > 0 ? $6 : 1/0) with lines lw 1.6 dt 2 lc rgb unknown title "p99", \
         "series.tsv" using 1:($7 > 0 ? $7 : 1/0) with lines lw 1.2 dt 4 lc rgb fail title "slowest"
    set output
}
