/* The cheapest command there is, so that what runs it shows. */
int
main(void)
{
	return 0;
}
