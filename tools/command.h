/* The subcommands of `wengert`: one a file, one line each in the table of wengert.c. */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

/* What a command returns is the program's exit code. */
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* argv[0] is "wengert call". Wrong options end the
 * program by argp. */
int command_bench(int argc, char **argv);
int command_call(int argc, char **argv);
int command_check(int argc, char **argv);
int command_diagnose(int argc, char **argv);
int command_export(int argc, char **argv);
int command_graph(int argc, char **argv);
int command_info(int argc, char **argv);
int command_ops(int argc, char **argv);
int command_plot(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_train(int argc, char **argv);

#endif
