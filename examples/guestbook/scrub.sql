-- Run on a clone before it starts: nobody's address and no session of production stays in it.
update users set email = 'user' || id || '@example.invalid', first_name = 'First', last_name = 'Last', gender = null;
update entries set author = null;
