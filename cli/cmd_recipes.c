/* inkling recipes: what each stands for, in full. */
#include "json.h"
#include "options.h"
#include "recipes.h"

#include <string.h>

struct recipes_arguments {
    bool json;
};

static const char *name_of(const void *context, size_t i)
{
    (void)context;
    return recipe_name(i);
}

static enum ink_status check_name(const char *name, struct ink_error *err)
{
    for (size_t i = 0; recipes[i].name != NULL; i++)
        if (strcmp(recipes[i].name, name) == 0)
            return INK_OK;
    const char *nearest = cli_nearest(name, name_of, NULL);
    return cli_fail(err, INK_BAD_ARGUMENT, "no recipe '%s'%s%s%s", name, nearest != NULL ? "; did you mean '" : "",
                    nearest != NULL ? nearest : "", nearest != NULL ? "'?" : " (see 'inkling recipes')");
}

static void print_recipe(const struct recipe *recipe)
{
    printf("%-10s", recipe->name);
    cli_print_wrapped(stdout, recipe->about, 10);
    printf("%10sinkling train %s -o MODEL --recipe %s\n%10s", "", recipe->data, recipe->name, "");
    cli_print_wrapped(stdout, recipe->options, 10);
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct recipes_arguments *arguments = call->arguments;
    const char *const only = call->operand_count > 0 ? call->operands[0] : NULL;
    json_t *const list = json_array();
    if (only != NULL && check_name(only, err) != INK_OK) {
        json_decref(list);
        return INK_BAD_ARGUMENT;
    }
    for (const struct recipe *recipe = recipes; recipe->name != NULL; recipe++) {
        if (only != NULL && strcmp(recipe->name, only) != 0)
            continue;
        if (arguments->json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", recipe->name, "about", recipe->about,
                                                  "data", recipe->data, "options", recipe->options));
        else
            print_recipe(recipe);
    }
    if (arguments->json)
        return (int)cli_print_json(json_pack("{s:o}", "recipes", list), stdout, err);
    json_decref(list);
    return INK_OK;
}

const struct command cmd_recipes = {
    .name = "recipes",
    .operands = "[NAME]",
    .most_operands = 1,
    .summary = "print the options that the recipes of 'inkling train' stand for",
    .about = "A recipe is a name for options of 'inkling train' that reach an accuracy: 'inkling train mnist -o m "
             "--recipe fast' does what the options printed here do in its place. Options behind --recipe override it.",
    .options =
        (const struct cli_option[]){
            CLI_OPTION_JSON(struct recipes_arguments, json),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling recipes", "inkling recipes fast --json", NULL },
    .defaults = &(const struct recipes_arguments){ .json = false },
    .size = sizeof(struct recipes_arguments),
    .run = run,
};
