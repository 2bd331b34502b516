# Operations per second by outcome, stacked: what of the offered load was served.
load "params.gp"
load "style.gp"
set title "How much of the load was served, and what became of the rest?" offset 0,0.75 * band_rows
set ylabel "operations per second" font ",11" textcolor rgb ink
if (is_idle) { set yrange [0:1] } else { set yrange [0:*] }
set lmargin 10
set rmargin at screen 0.84
set tmargin at screen 1 - (42 + 16.0 * band_rows) / 460
set bmargin at screen 74.0 / 460
load "bands.gp"
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../operations", 1000, 460) : open_png("../operations", 1000, 460))
    plot "series.tsv" using 1:($2 + $3 + $4) with fillsteps fs solid 1 lc rgb unknown title "unknown", \
         "series.tsv" using 1:($2 + $3) with fillsteps fs solid 1 lc rgb fail title "failed", \
         "series.tsv" using 1:2 with fillsteps fs solid 1 lc rgb ok title "answered ok"
    set output
}
