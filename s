signal 9
