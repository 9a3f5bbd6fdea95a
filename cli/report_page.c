/* A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. */
#include "report.h"
#include "terminal.h"

#include <string.h>

void page_text(FILE *file, const char *text)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
    for (; *text != 0; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
            entity = *text == entities[i].character ? entities[i].entity : entity;
        if (entity != NULL)
            fputs(entity, file);
        else
            fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
    }
}

/* ---- Style ------------------------------------------------------------------------------------------------------- */

/* Strings of a length that every compiler takes. */
static const char *const style[] = {
    ":root{color-scheme:light dark;--ink:#1c2024;--soft:#5f6872;--rule:#dfe3e8;--page:#fff;--card:#f6f7f9;"
    "--good:37 99 185;--bad:196 60 40;"
    "--c0:#2563b9;--c1:#c2570c;--c2:#2f855a;--c3:#8b3fa8;--c4:#b7354a;--c5:#0e7f8c;--c6:#7a6a12;--c7:#59636e}\n",
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#9aa4ae;--rule:#343a41;--page:#15181b;--card:#1e2226;"
    "--good:96 156 240;--bad:240 110 90;"
    "--c0:#6ba6f2;--c1:#f0944d;--c2:#66c091;--c3:#c98be0;--c4:#ef7f8f;--c5:#56c3cf;--c6:#cdbb57;--c7:#a5b0bb}}\n",
    "*{box-sizing:border-box}\n",
    "body{margin:0 auto;max-width:62rem;padding:2.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;"
    "font-variant-numeric:tabular-nums}\n",
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem;overflow-wrap:anywhere}\n",
    "h2{font-size:1.25rem;margin:3rem 0 .75rem;overflow-wrap:anywhere}\n",
    "h3{font-size:1rem;margin:2rem 0 .5rem}\n",
    "p{margin:.25rem 0 .75rem;max-width:44rem}\n",
    ".soft,figcaption,dt,th{color:var(--soft)}\n",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1.5rem 0}\n",
    ".tiles div{background:var(--card);border-radius:.5rem;padding:.75rem 1rem}\n",
    ".tiles dt{font-size:.8125rem}.tiles dd{margin:0;font-size:1.375rem;line-height:1.3}\n",
    ".tiles small{display:block;font-size:.8125rem;color:var(--soft)}\n",
    ".scroll{overflow-x:auto}\n",
    "table{border-collapse:collapse;font-size:.875rem}\n",
    "th,td{padding:.25rem .75rem .25rem 0;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}\n",
    "th{font-weight:500}.n{text-align:right;padding:.25rem 0 .25rem 1rem}\n",
    ".matrix td,.matrix th{padding:.3rem .35rem;text-align:right;min-width:2.1rem;border:1px solid var(--page)}\n",
    ".matrix tbody th,.matrix thead th{border:0;max-width:9rem;overflow:hidden;text-overflow:ellipsis}\n",
    ".matrix .zero{color:var(--rule)}\n",
    ".text td{white-space:normal;overflow-wrap:anywhere}\n",
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:1rem 1.5rem}\n",
    "figure{margin:0}.plot figcaption{color:var(--ink);font-size:.875rem;font-weight:600}\n",
    "svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}\n",
    ".y{text-anchor:end}.x{text-anchor:middle}.grid{stroke:var(--rule);fill:none}\n",
    ".line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}\n",
    ".dot{fill:var(--c);stroke:var(--c)}.hollow{fill:var(--page)}\n",
    ".bar{fill:rgb(var(--good)/.3)}.diagonal{stroke:var(--soft);stroke-dasharray:3 4;fill:none}\n",
    ".c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}"
    ".c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}\n",
    ".key{font-size:.875rem;color:var(--soft)}.key span{margin-right:1.25rem;white-space:nowrap}\n",
    ".key i{display:inline-block;width:1.75rem;margin-right:.4rem;vertical-align:middle;"
    "border-top:2px solid var(--c,var(--soft))}.key .dash{border-top-style:dashed}\n",
    ".swatch{display:inline-block;width:.65rem;height:.65rem;border-radius:50%;background:var(--c);"
    "margin-right:.5rem}\n",
    ".images{display:grid;grid-template-columns:repeat(auto-fill,minmax(5.5rem,1fr));gap:1rem .75rem;"
    "margin:0;padding:0;list-style:none}\n",
    ".images img{display:block;width:100%;max-width:7rem;image-rendering:pixelated;border-radius:.25rem;"
    "background:#000}\n",
    ".images figcaption{font-size:.75rem;line-height:1.35;margin-top:.3rem;overflow-wrap:anywhere}"
    ".images b{color:var(--ink);font-weight:600}\n",
    ".filters{max-width:100%;height:auto;image-rendering:pixelated;border-radius:.25rem}\n",
    ".half{max-width:24rem}\n",
    ".pair{display:flex;flex-wrap:wrap;gap:0 3rem}"
    ".pair>div{min-width:0;max-width:100%}\n",
    "pre{background:var(--card);border-radius:.5rem;padding:.75rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere;"
    "font:.875rem/1.5 ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace}\n",
    "footer{margin-top:3rem;border-top:1px solid var(--rule);padding-top:.75rem;font-size:.8125rem;"
    "color:var(--soft)}\n",
    "@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--rule:#ccc;--page:#fff;--card:#f4f4f4;"
    "--good:37 99 185;--bad:196 60 40;"
    "--c0:#2563b9;--c1:#c2570c;--c2:#2f855a;--c3:#8b3fa8;--c4:#b7354a;--c5:#0e7f8c;--c6:#7a6a12;--c7:#59636e}"
    "body{max-width:none;padding:0;font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "figure,tr,pre,.tiles,.images li{break-inside:avoid}h2,h3,h2+p,h3+p{break-after:avoid}.scroll{overflow:visible}}\n",
};

/* ---- The head ---------------------------------------------------------------------------------------------------- */

static void print_tile(FILE *file, const char *name, const char *value, const char *more)
{
    fprintf(file, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n", name, value, more);
}

static void print_tiles(FILE *file, const struct run *run)
{
    char value[64], more[96], number[32];
    fprintf(file, "<dl class=\"tiles\">\n");
    if (run->metrics.count > 0) {
        snprintf(value, sizeof value, "%.2f%%", 100 * run->metrics.accuracy);
        snprintf(more, sizeof more, "95%%: %.2f to %.2f%%", 100 * run->metrics.accuracy_low,
                 100 * run->metrics.accuracy_high);
        print_tile(file, "accuracy", value, more);
        snprintf(value, sizeof value, "%s", terminal_number(number, run->metrics.count - run->metrics.correct));
        snprintf(more, sizeof more, "of %s, %s images", terminal_number(number, run->metrics.count),
                 run_images_word(run->split));
        print_tile(file, "wrong", value, more);
        snprintf(value, sizeof value, "%.4f", run->metrics.loss);
        snprintf(more, sizeof more, "calibration error %.2f%%", 100 * run->calibration_error);
        print_tile(file, "loss", value, more);
    }
    if (run->net != NULL) {
        snprintf(more, sizeof more, "file of %s bytes", terminal_number(number, run->bytes));
        print_tile(file, "parameters", terminal_number(value, ink_net_parameters(run->net)), more);
    }
    if (run->metrics.count > 0) {
        snprintf(value, sizeof value, "%.1f &#181;s", 1e6 * run->seconds_per_image);
        snprintf(more, sizeof more, "%s images/s together", terminal_number(number, (size_t)run->images_per_second));
        print_tile(file, "one image", value, more);
    }
    fprintf(file, "</dl>\n");
}

static void print_summary(FILE *file, const struct run *runs, size_t count)
{
    fprintf(file, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">run</th><th scope=\"col\">data</th><th "
                  "scope=\"col\" class=\"n\">accuracy</th><th scope=\"col\" class=\"n\">95%% interval</th><th "
                  "scope=\"col\" class=\"n\">loss</th>"
                  "<th scope=\"col\" class=\"n\">calibration error</th><th scope=\"col\" class=\"n\">best validation"
                  "</th><th scope=\"col\" class=\"n\">parameters</th><th scope=\"col\" class=\"n\">one image</th></tr>"
                  "</thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        const struct run *const run = &runs[i];
        const struct run_epoch *const best = run_log_best(&run->log);
        char number[32];
        fprintf(file, "<tr><th scope=\"row\"><span class=\"swatch c%zu\"></span>", i);
        page_text(file, run->name);
        fprintf(file, "</th><td>");
        if (run->measured != NULL)
            page_text(file, ink_dataset_name(run->measured));
        fprintf(file, "</td>");
        if (run->metrics.count > 0)
            fprintf(file,
                    "<td class=\"n\">%.2f%%</td><td class=\"n\">%.2f to %.2f%%</td><td class=\"n\">%.4f</td>"
                    "<td class=\"n\">%.2f%%</td>",
                    100 * run->metrics.accuracy, 100 * run->metrics.accuracy_low, 100 * run->metrics.accuracy_high,
                    run->metrics.loss, 100 * run->calibration_error);
        else
            fprintf(file, "<td></td><td></td><td></td><td></td>");
        fprintf(file, "<td class=\"n\">");
        if (best != NULL)
            fprintf(file, "%.2f%%", 100 * best->validation_accuracy);
        fprintf(file, "</td><td class=\"n\">");
        if (run->net != NULL)
            fputs(terminal_number(number, ink_net_parameters(run->net)), file);
        fprintf(file, "</td><td class=\"n\">");
        if (run->metrics.count > 0)
            fprintf(file, "%.1f &#181;s", 1e6 * run->seconds_per_image);
        fprintf(file, "</td></tr>\n");
    }
    fprintf(file, "</tbody></table></div>\n");
}

/* ---- Curves ------------------------------------------------------------------------------------------------------ */

#define EPOCH(member) offsetof(struct run_epoch, member)

static void print_plot(FILE *file, const struct run *runs, size_t count, const char *title, bool percent,
                       size_t training, size_t validation)
{
    struct plot_line lines[2 * REPORT_MOST_RUNS];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const struct run_log *const log = &runs[i].log;
        lines[used++] = (struct plot_line){ runs[i].name, i, false, log->epochs, log->count, training };
        if (validation != training)
            lines[used++] = (struct plot_line){ runs[i].name, i, true, log->epochs, log->count, validation };
    }
    plot_epochs(file, &(const struct plot){ title, percent, lines, used });
}

static void print_curves(FILE *file, const struct run *runs, size_t count)
{
    size_t epochs = 0;
    for (size_t i = 0; i < count; i++)
        epochs += runs[i].log.count;
    if (epochs == 0)
        return;
    fprintf(file, "<h2>Training</h2>\n<p class=\"key\"><span><i></i>training, images as seen</span><span><i "
                  "class=\"dash\"></i>validation</span>");
    for (size_t i = 0; count > 1 && i < count; i++) {
        if (runs[i].log.count == 0)
            continue;
        fprintf(file, "<span class=\"c%zu\"><i></i>", i);
        page_text(file, runs[i].name);
        fprintf(file, "</span>");
    }
    fprintf(file, "</p>\n<div class=\"plots\">\n");
    print_plot(file, runs, count, "Loss", false, EPOCH(loss), EPOCH(validation_loss));
    print_plot(file, runs, count, "Accuracy", true, EPOCH(accuracy), EPOCH(validation_accuracy));
    print_plot(file, runs, count, "Learning rate at the end of the epoch", false, EPOCH(learning_rate),
               EPOCH(learning_rate));
    fprintf(file, "</div>\n");
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

enum ink_status report_print_page(FILE *file, const struct run *runs, size_t count, struct ink_error *err)
{
    (void)err;
    fprintf(file, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                  "content=\"width=device-width,initial-scale=1\">\n<title>");
    page_text(file, count == 1 ? runs[0].name : "Runs compared");
    fprintf(file, " - inkling report</title>\n<style>\n");
    for (size_t i = 0; i < sizeof style / sizeof style[0]; i++)
        fputs(style[i], file);
    fprintf(file, "</style>\n</head>\n<body>\n<header>\n<h1>");
    page_text(file, count == 1 ? runs[0].name : "Runs compared");
    fprintf(file, "</h1>\n");
    if (count == 1) {
        page_print_subject(file, &runs[0]);
        print_tiles(file, &runs[0]);
    }
    fprintf(file, "</header>\n<main>\n");
    if (count > 1)
        print_summary(file, runs, count);
    print_curves(file, runs, count);
    for (size_t i = 0; i < count; i++) {
        if (count > 1) {
            fprintf(file, "<h2><span class=\"swatch c%zu\"></span>", i);
            page_text(file, runs[i].name);
            fprintf(file, "</h2>\n");
            page_print_subject(file, &runs[i]);
        }
        page_print_run(file, &runs[i]);
    }
    fprintf(file,
            "</main>\n<footer>Written by inkling %s. Speeds are of the machine that wrote it: one image in one "
            "thread, images together in all. Intervals are Wilson&#39;s.</footer>\n</body>\n</html>\n",
            INK_VERSION);
    return INK_OK;
}
