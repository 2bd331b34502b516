# Simulated against real rate of every engine and workload: on the diagonal the simulation is right.
load "fidelity-params.gp"
load "fidelity-range.gp"
made = fidelity_made
height = 640
made_at = 14.0 / height
legend_y = 1 - 50.0 / height
load "bench-style.gp"
unset title
heading = sprintf("Is the simulation true? Half of %d cells are off by less than %.0f %%", cells, 100 * median_error)
set label 98 heading at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
set logscale xy
marks = '("1" 1, "10" 10, "100" 100, "1k" 1e3, "10k" 1e4, "100k" 1e5, "1M" 1e6, "10M" 1e7, "100M" 1e8)'
eval "set xtics ".marks
eval "set ytics ".marks
set xrange [low:high]
set yrange [low:high]
set grid lc rgb "#EEEEEE" lw 0.6 dt 1
set xlabel "operations per second on real files (log scale)" font ",11" textcolor rgb ink
set ylabel "on the simulated disk, same engine code (log scale)" font ",11" textcolor rgb ink
set lmargin at screen 0.11
set rmargin at screen 0.80
set tmargin at screen 1 - 72.0 / height
set bmargin at screen 84.0 / height
set label 90 "within 25 %" at screen 0.815,screen 0.86 left font ",11" textcolor rgb "#777777"
set object 90 rectangle from screen 0.815,screen 0.875 to screen 0.845,screen 0.893 fs solid 1 noborder fc rgb "#E4E4E4"
set label 91 "off by a factor of 2" at screen 0.815,screen 0.79 left font ",11" textcolor rgb "#777777"
set arrow 91 from screen 0.815,screen 0.815 to screen 0.845,screen 0.815 nohead dt 2 lw 1.2 lc rgb "#999999"
set label 92 "worst, model / real:" at screen 0.815,screen 0.69 left font ",11" textcolor rgb "#777777"
set samples 2
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../fidelity", 900, height) : open_png("../fidelity", 900, height))
    plot "+" using (x0 = $1):(x0 / 1.25):(x0 * 1.25) with filledcurves fc rgb "#E4E4E4" fs solid 1 noborder notitle, \
         x * 2 with lines dt 2 lw 1.2 lc rgb "#999999" notitle, x / 2 with lines dt 2 lw 1.2 lc rgb "#999999" notitle, \
         x with lines lw 1.2 lc rgb ink notitle, \
         for [e = 0 : engines - 1] "fidelity.tsv" using ($3 == e ? $1 : 1/0):2 with points pt shape(e) ps 1.2 lc rgb colour(e) notitle
    set output
}
