"""Where results are kept, their pictures, maps and sentences. Imports every other room of brain
but `analyses`."""
