from ptm_explore.cli import main

main()
