/* One run's part of the page: confusion, classes, calibration, images, filters, layers, how to repeat it. */
#include "report.h"
#include "terminal.h"

#include <string.h>

static const char *class_name(const struct run *run, size_t c)
{
    return ink_net_class_name(run->net, c);
}

void page_print_subject(FILE *file, const struct run *run)
{
    const json_t *const start = run->log.start;
    const char *const network =
        run->net != NULL ? ink_net_spec(run->net) : json_string_value(json_object_get(start, "network"));
    const char *const data = json_string_value(json_object_get(start, "data"));
    fprintf(file, "<p class=\"soft\">");
    page_text(file, network != NULL ? network : "");
    if (data != NULL) {
        fprintf(file, "<br>trained on ");
        page_text(file, data);
    }
    if (run->measured != NULL) {
        fprintf(file, "<br>measured on ");
        page_text(file, ink_dataset_name(run->measured));
        fprintf(file, ", %s images", run_images_word(run->split));
    }
    fprintf(file, "</p>\n");
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

/* Right answers by the share of the row, wrong ones by the root of it, or nobody would see them. */
static void print_cell(FILE *file, const struct run *run, size_t row, size_t column, size_t total)
{
    const size_t count = run->metrics.confusion[row * run->metrics.classes + column];
    const double share = total > 0 ? (double)count / (double)total : 0;
    if (count == 0) {
        fprintf(file, "<td class=\"zero\">0</td>");
        return;
    }
    fprintf(file, "<td style=\"background:rgb(var(--%s)/%.2f)\" title=\"", row == column ? "good" : "bad",
            row == column ? 0.45 * share : 0.08 + 0.8 * sqrt(share));
    page_text(file, class_name(run, row));
    fprintf(file, " taken for ");
    page_text(file, class_name(run, column));
    fprintf(file, "\">%zu</td>", count);
}

static void print_confusion(FILE *file, const struct run *run)
{
    const size_t classes = run->metrics.classes;
    fprintf(file, "<h3>Confusion</h3>\n<p class=\"soft\">A row for the true class, a column for the answer.</p>\n"
                  "<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><td></td>");
    for (size_t c = 0; c < classes; c++) {
        fprintf(file, "<th scope=\"col\">");
        page_text(file, class_name(run, c));
        fprintf(file, "</th>");
    }
    fprintf(file, "</tr></thead>\n<tbody>\n");
    for (size_t row = 0; row < classes; row++) {
        const size_t total = ink_metrics_class(&run->metrics, row).count;
        fprintf(file, "<tr><th scope=\"row\">");
        page_text(file, class_name(run, row));
        fprintf(file, "</th>");
        for (size_t column = 0; column < classes; column++)
            print_cell(file, run, row, column, total);
        fprintf(file, "</tr>\n");
    }
    fprintf(file, "</tbody></table></div>\n");
}

static void print_classes(FILE *file, const struct run *run)
{
    fprintf(file, "<h3>Classes</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">class</th>"
                  "<th scope=\"col\" class=\"n\">images</th><th scope=\"col\" class=\"n\">precision</th><th "
                  "scope=\"col\" class=\"n\">recall</th><th scope=\"col\" class=\"n\">F1</th></tr></thead>\n<tbody>\n");
    for (size_t c = 0; c < run->metrics.classes; c++) {
        const struct ink_class_metrics m = ink_metrics_class(&run->metrics, c);
        char number[32];
        fprintf(file, "<tr><th scope=\"row\">");
        page_text(file, class_name(run, c));
        fprintf(file,
                "</th><td class=\"n\">%s</td><td class=\"n\">%.2f%%</td><td class=\"n\">%.2f%%</td>"
                "<td class=\"n\">%.2f%%</td></tr>\n",
                terminal_number(number, m.count), 100 * m.precision, 100 * m.recall, 100 * m.f1);
    }
    fprintf(file, "</tbody></table></div>\n");
}

static void print_calibration(FILE *file, const struct run *run)
{
    fprintf(file,
            "<h3>Calibration</h3>\n<p>Expected calibration error <strong>%.2f%%</strong> over %d bins: how far, on the "
            "mean, the probability of an answer is from the share of such answers that are right. A bar is the share "
            "that is right; below the diagonal, the network is too sure.</p>\n<figure class=\"half\">",
            100 * run->calibration_error, REPORT_BINS);
    plot_reliability(file, run);
    fprintf(file, "</figure>\n");
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static void print_images(FILE *file, const struct run *run, const struct run_misses *misses)
{
    const struct ink_shape shape = ink_dataset_shape(misses->data);
    fprintf(file, "<ul class=\"images\">\n");
    for (size_t i = 0; i < misses->count && i < REPORT_SHOWN; i++) {
        const struct run_miss *const miss = &misses->list[i];
        fprintf(file, "<li><figure><img alt=\"Image %zu: label ", miss->index);
        page_text(file, class_name(run, miss->label));
        fprintf(file, ", answer ");
        page_text(file, class_name(run, miss->answer));
        fprintf(file, "\" src=\"");
        picture_print_uri(file, shape, ink_dataset_pixels(misses->data, miss->index));
        fprintf(file, "\"><figcaption><b>");
        page_text(file, class_name(run, miss->label));
        fprintf(file, " &#8594; ");
        page_text(file, class_name(run, miss->answer));
        fprintf(file, "</b><br>%.1f &#8594; %.1f%%<br>image %zu</figcaption></figure></li>\n",
                100 * miss->label_probability, 100 * miss->answer_probability, miss->index);
    }
    fprintf(file, "</ul>\n");
}

static void print_misses(FILE *file, const struct run *run, const struct run_misses *misses, const char *title,
                         const char *about)
{
    char all[32], total[32];
    if (misses->count == 0)
        return;
    fprintf(file, "<h3>%s</h3>\n<p class=\"soft\">%s of %s %s images%s %s</p>\n", title,
            terminal_number(all, misses->count), terminal_number(total, ink_dataset_count(misses->data)),
            run_images_word(misses->split), misses->count > REPORT_SHOWN ? ", the first here." : ".", about);
    print_images(file, run, misses);
}

/* ---- The network ------------------------------------------------------------------------------------------------- */

static void print_shape(FILE *file, struct ink_shape shape)
{
    if (shape.height == 1 && shape.width == 1)
        fprintf(file, "%zu", shape.channels);
    else
        fprintf(file, "%zu &#215; %zu &#215; %zu", shape.height, shape.width, shape.channels);
}

static void print_layers(FILE *file, const struct run *run)
{
    struct ink_layer_info layer;
    char number[32], work[32];
    fprintf(file, "<h3>Layers</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">layer</th><th "
                  "scope=\"col\" class=\"n\">output</th><th scope=\"col\" class=\"n\">parameters</th><th scope=\"col\" "
                  "class=\"n\">multiply-adds</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; ink_net_layer(run->net, i, &layer); i++) {
        fprintf(file, "<tr><th scope=\"row\">");
        page_text(file, layer.text);
        fprintf(file, "</th><td class=\"n\">");
        print_shape(file, layer.out);
        fprintf(file, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
                terminal_number(number, layer.parameters), terminal_number(work, (size_t)layer.multiply_adds));
    }
    fprintf(file,
            "<tr><th scope=\"row\">all</th><td></td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n"
            "</tbody></table></div>\n",
            terminal_number(number, ink_net_parameters(run->net)), terminal_number(work, (size_t)run->multiply_adds));
}

static void print_filters(FILE *file, const struct run *run)
{
    fprintf(file, "<h3>First layer</h3>\n<figure>");
    const size_t shown = picture_print_filters(file, run->net);
    if (shown > 0)
        fprintf(file, "<figcaption>The weights of %zu filters, each on its own scale%s.</figcaption>", shown,
                ink_net_input(run->net).channels == 1 ? ": red above zero, blue below" : "");
    else
        fprintf(file, "<figcaption>Its weights are no pictures.</figcaption>");
    fprintf(file, "</figure>\n");
}

/* ---- To repeat it ------------------------------------------------------------------------------------------------ */

static void print_pair(FILE *file, const char *key, const char *value)
{
    fprintf(file, "<tr><th scope=\"row\">");
    page_text(file, key);
    fprintf(file, "</th><td>");
    page_text(file, value);
    fprintf(file, "</td></tr>\n");
}

static void print_options(FILE *file, json_t *start)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(start, key, value)
    {
        char text[64] = "none"; /* and for an empty string */
        if (json_is_integer(value))
            snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
            snprintf(text, sizeof text, "%.9g", json_real_value(value));
        else if (json_is_boolean(value))
            snprintf(text, sizeof text, "%s", json_is_true(value) ? "yes" : "no");
        if (strcmp(key, "event") != 0 && strcmp(key, "command") != 0)
            print_pair(file, key, json_string_length(value) > 0 ? json_string_value(value) : text);
    }
}

static void print_recipe(FILE *file, const struct run *run)
{
    const char *const command = json_string_value(json_object_get(run->log.start, "command"));
    const char *key = NULL, *value = NULL;
    fprintf(file, "<h3>To repeat it</h3>\n");
    if (command != NULL) {
        fprintf(file, "<pre>");
        page_text(file, command);
        fprintf(file, "</pre>\n");
    } else {
        fprintf(file, "<p class=\"soft\">There is no log with the command; the model itself records this.</p>\n");
    }
    fprintf(file, "<div class=\"scroll\"><table class=\"text\">\n<tbody>\n");
    if (run->log.start != NULL)
        print_options(file, run->log.start);
    for (size_t i = 0; run->net != NULL && ink_net_metadata(run->net, i, &key, &value); i++)
        if (run->log.start == NULL || strcmp(key, "dataset_sha256") == 0)
            print_pair(file, key, value);
    fprintf(file, "</tbody></table></div>\n");
}

void page_print_run(FILE *file, const struct run *run)
{
    if (run->metrics.count > 0) {
        fprintf(file, "<div class=\"pair\">\n<div>");
        print_confusion(file, run);
        fprintf(file, "</div>\n<div>");
        print_classes(file, run);
        fprintf(file, "</div>\n</div>\n");
        print_calibration(file, run);
        print_misses(
            file, run, &run->mistakes, "The worst mistakes",
            "Each is labelled as on the left and taken for what is on the right, with the probabilities of both; the "
            "least probable label comes first.");
    }
    print_misses(file, run, &run->doubtful, "The most doubtful labels",
                 "The network contradicts their labels, and is at least as sure of its answer as it is on average for "
                 "images of that class: labels to look at first.");
    if (run->net != NULL) {
        print_filters(file, run);
        print_layers(file, run);
    }
    print_recipe(file, run);
}
