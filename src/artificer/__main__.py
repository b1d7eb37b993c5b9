from artificer.cli import main

main()
